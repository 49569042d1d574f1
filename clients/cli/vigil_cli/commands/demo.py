"""`vigil demo`: the whole system on this machine, on real photographs."""

from __future__ import annotations

import io
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table
from rich.text import Text

from models.build.files import PHOTOS as GROUPS
from vigil_cli.commands.drops import duration_text, subject_text
from vigil_cli.commands.people import enrol_photo, find_or_create_person
from vigil_cli.console import ProgressSteps, coloured, err, format_number, new_table, out, styled
from vigil_cli.paths import BUILD, PACKAGE, PHOTOS
from vigil_cli.session import name_lookup
from vigil_client import Vigil

if TYPE_CHECKING:
    from vigil_cli.annotate import FaceLabel
    from vigil_cli.deployment import Deployment
    from vigil_cli.event_recorder import EventRecorder

PICTURES = BUILD / "demo"
WAIT_S = 60.0

DOOR, LOBBY, VAULT = "door", "lobby", "vault"


@dataclass(frozen=True, slots=True)
class DemoInput:
    """One file to drop at a source, and its expected result.

    expected_outcome  "done", or the reason of a rejection
    expected_people   names that must be recognised in it
    """

    file: Path
    source: str
    expected_outcome: str = "done"
    expected_people: tuple[str, ...] = ()


ENROLLED: Mapping[str, tuple[Path, bool]] = {
    "Barack Obama": (PHOTOS / "obama.jpg", True),
    "Joe Biden": (PHOTOS / "biden.jpg", False),
}
"""Name -> the photo to enrol, and whether the person is on the watch list."""


def demo_inputs() -> list[DemoInput]:
    """The files to drop, in order; writes the bad ones."""
    known = [
        DemoInput(PHOTOS / name, DOOR, expected_people=("Barack Obama",))
        for name in ("obama2.jpg", "obama3.jpg", "obama_partial_face.jpg", "obama_partial_face2.jpg")
    ]
    unknown = [DemoInput(GROUPS / "sample1.jpg", LOBBY), DemoInput(GROUPS / "sample2.jpg", VAULT)]
    return known + unknown + _bad_files(BUILD / "demo" / "bad")


def _bad_files(folder: Path) -> list[DemoInput]:
    photo = (PHOTOS / "obama2.jpg").read_bytes()
    files = {
        "empty.jpg": (b"", "empty-file"),
        "letter.jpg": (b"Dear door, please find attached no photograph.", "not-an-image"),
        "torn in half.jpg": (photo[: len(photo) // 2], "truncated-image"),
        "bomb 100%.png": (_decompression_bomb(), "too-many-pixels"),
        "film.mp4": (b"\x00\x00\x00\x18ftypmp42", "not-an-image"),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, (data, _) in files.items():
        (folder / name).write_bytes(data)
    return [DemoInput(folder / name, DOOR, expected) for name, (_, expected) in files.items()]


def _decompression_bomb() -> bytes:
    """A picture of a few hundred kilobytes that decodes to 900 million pixels."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(buffer, "PNG")
    return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class DemoResult:
    """One dropped file and the record of its drop.

    names  of each sighting: a person, or its status
    """

    demo_input: DemoInput
    record: Mapping[str, Any]
    names: tuple[str, ...]

    @property
    def outcome(self) -> str:
        return str(self.record.get("reason") or self.record["state"])

    @property
    def as_expected(self) -> bool:
        """Whether outcome and recognised people are those expected."""
        expected = self.demo_input
        return self.outcome == expected.expected_outcome and set(expected.expected_people) <= set(self.names)


def demo() -> None:
    """Enrol two people, drop photographs and bad files, and check the result of each.

    Example: ./vigil demo
    """
    from infra.local.cloud import Cloud
    from infra.package import package
    from models.build.sample_photos import fetch_photos
    from vigil_cli.deployment import local_deployment
    from vigil_cli.event_recorder import EventRecorder

    started = time.monotonic()
    with ProgressSteps() as steps, tempfile.TemporaryDirectory(prefix="vigil-demo-") as data:
        steps.begin("packaging")
        package("local", on_progress=steps.detail)
        steps.begin("downloading photographs")
        fetch_photos(on_progress=steps.detail)
        steps.begin("starting the local cloud")
        with Cloud(package=PACKAGE, data=Path(data), max_workers=3, on_progress=steps.detail) as running:
            cloud = local_deployment(running.environment, running.outputs)
            recorder = EventRecorder.subscribe(cloud, "demo-listener")
            token = running.issue_token("admin", subject="demo")
            api = Vigil(str(running.outputs["EndpointURL"]), token)
            results = _drop_all(cloud, api, steps)
            steps.begin("waiting for the events")
            running.wait_until_idle(timeout_s=WAIT_S)
            recorder.receive_all()
            alerts = [event["data"] for event in recorder.events_of_type("vigil.alert.raised")]
            table = results_table(results, alerts, name_lookup(api))
            steps.begin("drawing")
            write_pictures(results, PICTURES)
            steps.begin("stopping")
    out.print(table)
    out.print(f"\npictures: {PICTURES.relative_to(BUILD.parent)}/*.png")
    _print_summary(results, recorder, len(alerts), time.monotonic() - started)


def _drop_all(cloud: Deployment, api: Vigil, steps: ProgressSteps) -> list[DemoResult]:
    steps.begin("enrolling two people")
    for name, (photo, watched) in ENROLLED.items():
        person, _ = find_or_create_person(api, name)
        result = enrol_photo(api, person, photo)
        if not result["accepted"]:
            err.print(styled("[red]{} is refused:[/] {}", photo.name, result["message"]))
        if watched:
            api.watch_person(person)
    steps.begin("dropping photographs and bad files")
    drops = [(demo_input, _put_photo(cloud, demo_input)) for demo_input in demo_inputs()]
    name_of, results = name_lookup(api), []
    for demo_input, drop in drops:
        record = api.get_drop(drop, wait_s=20)
        names = tuple(name_of(sighting["label"]) for sighting in record.get("sightings", []))
        results.append(DemoResult(demo_input, record, names))
    return results


def _put_photo(cloud: Deployment, demo_input: DemoInput) -> str:
    """Put the file into the bucket as a camera does; returns the id of its drop."""
    from vigil.drops.messages import compute_drop_id

    bucket, key = cloud.outputs["PhotosBucket"], f"live/faces/{demo_input.source}/{demo_input.file.name}"
    stored = cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=demo_input.file.read_bytes())
    return compute_drop_id(bucket, key, stored["VersionId"], "faces")


def results_table(
    results: Sequence[DemoResult], alerts: Sequence[Mapping[str, Any]], name_of: Callable[[str], str]
) -> Table:
    """A line for each face; `alerts` are the data of the alert events."""
    raised = Counter((alert["drop"], alert["rule"]) for alert in alerts)
    table = new_table("Results", "photo", ">faces", "who", ">score", ">threshold", "alert", ">ms")
    for result in results:
        rules = [_count_text(rule, n) for (drop, rule), n in raised.items() if drop == result.record["id"]]
        for line in _result_rows(result, ", ".join(rules), name_of):
            table.add_row(*line)
    return table


def _result_rows(result: DemoResult, alerts: str, name_of: Callable[[str], str]) -> list[list[str | Text]]:
    row, name = result.record, f"{result.demo_input.source}/{result.demo_input.file.name}"
    ms = duration_text(row)
    if row["state"] != "done":
        return [[name, "", coloured(f"{row['state']}: {result.outcome}", row["state"]), "", "", "", ms]]
    alert = coloured(alerts or ("counted on the first" if row.get("alerts") else ""), "warning")
    cells: list[list[str | Text]] = [
        [
            subject_text(sighting, name_of),
            format_number(sighting.get("score")),
            format_number(sighting.get("threshold")),
        ]
        for sighting in row["sightings"]
    ] or [["nobody", "", ""]]
    first: list[str | Text] = [name, str(len(row["sightings"])), *cells[0], alert, ms]
    return [first, *(["", "", *more, "", ""] for more in cells[1:])]


def _count_text(rule: str, times: int) -> str:
    return rule if times == 1 else f"{rule} ×{times}"


def write_pictures(results: Sequence[DemoResult], folder: Path) -> None:
    """Write each processed photograph with its faces marked."""
    from vigil_cli.annotate import annotate

    folder.mkdir(parents=True, exist_ok=True)
    for result in (one for one in results if one.record["state"] == "done"):
        sightings = zip(result.record["sightings"], result.names, strict=True)
        labels = [_face_label(sighting, name) for sighting, name in sightings]
        picture = annotate(result.demo_input.file.read_bytes(), labels)
        (folder / f"{result.demo_input.source}-{result.demo_input.file.stem}.png").write_bytes(picture)


def _face_label(sighting: Mapping[str, Any], name: str) -> FaceLabel:
    from vigil_cli.annotate import FaceLabel

    left, top, right, bottom = sighting["box_px"]
    return FaceLabel(
        box_px=(left, top, right, bottom),
        text=subject_text(sighting, lambda _: name).plain,
        status=sighting["status"],
        score=sighting.get("score"),
    )


def _print_summary(results: list[DemoResult], recorder: EventRecorder, alerts: int, seconds: float) -> None:
    """Print the last line; exit code 1 unless every result is as expected and was published exactly once."""
    event_ids = {f"{one.record['id']}.{one.record['state']}" for one in results}
    lost = len(results) - len(event_ids & set(recorder.deliveries))
    duplicates = sum(count - 1 for count in recorder.deliveries.values())
    unexpected = [one for one in results if not one.as_expected]
    for one in unexpected:
        expected = ", ".join((one.demo_input.expected_outcome, *one.demo_input.expected_people))
        err.print(f"{one.demo_input.file.name}: {one.outcome} {one.names}, expected {expected}")
    states = [one.record["state"] for one in results]
    counts = f"drops {len(results)} done {states.count('done')} rejected {states.count('rejected')}"
    succeeded = not (lost or duplicates or unexpected)
    out.print(
        f"demo: {'ok' if succeeded else 'failed'} {counts} alerts {alerts} lost {lost} "
        f"duplicates {duplicates} seconds {seconds:.1f}"
    )
    if not succeeded:
        raise click.exceptions.Exit(1)
