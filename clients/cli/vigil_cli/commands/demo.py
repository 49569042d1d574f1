"""What the demo drops, and what must come of each."""

import io
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from PIL import Image
from rich.table import Table
from rich.text import Text

from infra.local.cloud import Cloud
from infra.package import package
from models.build.files import PHOTOS as GROUPS
from models.build.sample_photos import fetch_photos
from vigil_cli.annotate import FaceLabel, annotate
from vigil_cli.commands.drops import upload_file, wait_until_completed
from vigil_cli.commands.people import enrol_photos
from vigil_cli.console import ProgressSteps, err, new_table, out
from vigil_cli.deployment import Deployment, local_deployment
from vigil_cli.event_recorder import EventRecorder
from vigil_cli.paths import BUILD, PACKAGE, PHOTOS
from vigil_cli.tables import (
    coloured,
    duration_text,
    format_number,
    subject_text,
)

DOOR, LOBBY, VAULT = "door", "lobby", "vault"


@dataclass(frozen=True, slots=True)
class DemoInput:
    """One file to drop at a source, and what must come of it.

    expected  "done", or the reason of a rejection
    people    who must be recognised in it
    """

    file: Path
    source: str
    expected_outcome: str = "done"
    expected_people: tuple[str, ...] = ()


ENROLLED: Mapping[str, tuple[Path, tuple[str, ...]]] = {
    "Barack Obama": (PHOTOS / "obama.jpg", ("watch",)),
    "Joe Biden": (PHOTOS / "biden.jpg", ()),
}
"""Name -> the photo to enrol from, and the lists the person is on."""


def demo_inputs() -> list[DemoInput]:
    """The demo's drops, in order; bad files are made on the way."""
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
        "film.mp4": (b"\x00\x00\x00\x18ftypmp42", "wrong-type"),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, (data, _) in files.items():
        (folder / name).write_bytes(data)
    return [DemoInput(folder / name, DOOR, expected) for name, (_, expected) in files.items()]


def _decompression_bomb() -> bytes:
    """A picture of a few hundred kilobytes that unpacks to 900 million pixels."""
    out = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(out, "PNG")
    return out.getvalue()


# MERGED: What became of the demo's drops: as a table, and as pictures.


@dataclass(frozen=True, slots=True)
class DemoResult:
    """One dropped file, its record, and what was seen in it.

    names  who was recognised; "unknown", "ambiguous" or "unfit" for the others
    """

    demo_input: DemoInput
    record: dict[str, Any]
    sightings: list[dict[str, Any]]
    names: tuple[str, ...]

    @property
    def ended_as(self) -> str:
        return str(self.record.get("reason") or self.record["state"])

    @property
    def as_expected(self) -> bool:
        """Ended as it had to, with the person in it recognised where one had to be."""
        return self.ended_as == self.demo_input.expected_outcome and set(
            self.demo_input.expected_people
        ) <= set(self.names)


def results_table(
    cloud: Deployment, results: Sequence[DemoResult], alerts: Sequence[dict[str, Any]]
) -> Table:
    """A line a face; `alerts` are the data of the events that raised them."""
    raised = Counter((alert["drop"], alert["rule"]) for alert in alerts)
    table = new_table(
        "What became of each", "object", ">faces", "who", ">score", ">threshold", "alert", ">ms"
    )
    for result in results:
        rules = [
            _count_text(rule, n) for (drop, rule), n in raised.items() if drop == result.record["drop_id"]
        ]
        for line in _result_rows(cloud, result, ", ".join(rules)):
            table.add_row(*line)
    return table


def write_pictures(cloud: Deployment, results: Sequence[DemoResult], folder: Path) -> None:
    """A picture of each photograph that was looked at, with its faces marked."""
    folder.mkdir(parents=True, exist_ok=True)
    for result in (outcome for outcome in results if outcome.record["state"] == "done"):
        labels = [_face_label(cloud, sighting) for sighting in result.sightings]
        picture = annotate(result.demo_input.file.read_bytes(), labels)
        (folder / f"{result.demo_input.source}-{result.demo_input.file.stem}.png").write_bytes(picture)


def _result_rows(cloud: Deployment, result: DemoResult, alerts: str) -> list[list[str | Text]]:
    row, name = result.record, f"{result.demo_input.source}/{result.demo_input.file.name}"
    ms = duration_text(row)
    if row["state"] != "done":
        return [[name, "", coloured(f"{row['state']}: {result.ended_as}", row["state"]), "", "", "", ms]]
    alert = coloured(alerts or ("counted on the first" if row.get("alerts") else ""), "warning")
    sighting_cells: list[list[str | Text]] = [
        [
            subject_text(cloud, sighting),
            format_number(sighting.get("score")),
            format_number(sighting.get("threshold")),
        ]
        for sighting in result.sightings
    ] or [["nobody", "", ""]]
    rows: list[list[str | Text]] = [[name, str(row["sightings"]), *sighting_cells[0], alert, ms]]
    return rows + [["", "", *more, "", ""] for more in sighting_cells[1:]]


def _face_label(cloud: Deployment, sighting: dict[str, Any]) -> FaceLabel:
    left, top, right, bottom = sighting["box_px"]
    return FaceLabel(
        box_px=(left, top, right, bottom),
        text=subject_text(cloud, sighting).plain,
        status=sighting["status"],
        score=sighting.get("score"),
    )


def _count_text(rule: str, times: int) -> str:
    return rule if times == 1 else f"{rule} ×{times}"


# MERGED: `vigil demo`: the whole system on this machine, on real photographs.

PICTURES = BUILD / "demo"
DEMO_WAIT_S = 60.0


def demo() -> None:
    """Enrol two people, drop their photographs, strangers and bad files, and show what became of each.

    Example: ./vigil demo
    """
    started = time.monotonic()
    with ProgressSteps() as steps, tempfile.TemporaryDirectory(prefix="vigil-demo-") as data:
        steps.begin("packaging what ships")
        package("local", on_progress=steps.detail)
        fetch_photos(on_progress=steps.detail)
        steps.begin("starting the local cloud")
        with Cloud(package=PACKAGE, data=Path(data), max_workers=3, on_progress=steps.detail) as running:
            cloud = local_deployment(running.environment, running.outputs)
            recorder = EventRecorder.subscribe(cloud, "demo-listener")
            results = _drop_all(cloud, steps)
            steps.begin("waiting until all is told")
            running.wait_until_idle(timeout_s=DEMO_WAIT_S)
            recorder.receive_all()
            alerts = [event["data"] for event in recorder.events_of_type("vigil.alert.raised")]
            table = results_table(cloud, results, alerts)
            steps.begin("drawing")
            write_pictures(cloud, results, PICTURES)
            steps.begin("stopping")
    out.print(table)
    out.print(f"\npictures: {PICTURES.relative_to(BUILD.parent)}/*.png")
    _print_summary(results, recorder, len(alerts), time.monotonic() - started)


def _drop_all(cloud: Deployment, steps: ProgressSteps) -> list[DemoResult]:
    steps.begin("enrolling two people")
    for name, (photo, tags) in ENROLLED.items():
        enrolment = enrol_photos(cloud, name, [photo], tags)
        for refusal in enrolment["rejected"]:
            err.print(f"[red]{photo.name} was refused:[/] {refusal['message']}")
    steps.begin("dropping photographs, strangers and bad files")
    inputs = demo_inputs()
    keys = [f"live/faces/{demo_input.source}/{demo_input.file.name}" for demo_input in inputs]
    ids = [
        upload_file(cloud, drop_input.file, key, "faces")
        for drop_input, key in zip(inputs, keys, strict=True)
    ]
    results = []
    for drop_input, row in zip(inputs, wait_until_completed(cloud.records, ids, DEMO_WAIT_S), strict=True):
        sightings = cloud.records.sightings(row["drop_id"])
        names = tuple(cloud.display_name(sighting["label"]) for sighting in sightings)
        results.append(DemoResult(drop_input, row, sightings, names))
    return results


def _print_summary(results: list[DemoResult], recorder: EventRecorder, alerts: int, seconds: float) -> None:
    """The last line, and the exit code: 0 only where every drop ended as it had to, told exactly once."""
    event_ids = {f"{outcome.record['drop_id']}.{outcome.record['state']}" for outcome in results}
    lost = len(results) - len(event_ids & set(recorder.deliveries))
    duplicates = sum(count - 1 for count in recorder.deliveries.values())
    unexpected = [outcome for outcome in results if not outcome.as_expected]
    for outcome in unexpected:
        expected = ", ".join((outcome.demo_input.expected_outcome, *outcome.demo_input.expected_people))
        err.print(f"{outcome.demo_input.file.name}: {outcome.ended_as} {outcome.names}, should be {expected}")
    states = [outcome.record["state"] for outcome in results]
    counts = f"drops {len(results)} done {states.count('done')} rejected {states.count('rejected')}"
    succeeded = not (lost or duplicates or unexpected)
    out.print(
        f"demo: {'ok' if succeeded else 'failed'} {counts} alerts {alerts} lost {lost} "
        f"duplicates {duplicates} seconds {seconds:.1f}"
    )
    if not succeeded:
        raise typer.Exit(1)
