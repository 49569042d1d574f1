"""`vigil demo`: the whole system on this machine, on real photographs."""

import tempfile
import time
from pathlib import Path

import typer

from infra.cli.deployment import Deployment, local
from infra.cli.drop import put, settled
from infra.cli.enrol import enrolled
from infra.cli.listener import Listener
from infra.cli.outcomes import Outcome, draw, outcomes_table
from infra.cli.places import BUILD, PACKAGE
from infra.cli.saying import err, out
from infra.cli.scenario import ENROLLED, scenes
from infra.cli.steps import Steps
from infra.local.cloud import Cloud
from infra.models.photos import fetch_photos
from infra.package import package

PICTURES = BUILD / "demo"
WAIT_S = 60.0


def demo() -> None:
    """Enrol two people, drop their photographs, strangers and bad files, and show what became of each.

    Example: ./vigil demo
    """
    began = time.monotonic()
    with Steps() as steps, tempfile.TemporaryDirectory(prefix="vigil-demo-") as data:
        steps.begin("packaging what ships")
        package("local", on_progress=steps.detail)
        fetch_photos(on_progress=steps.detail)
        steps.begin("starting the local cloud")
        with Cloud(package=PACKAGE, data=Path(data), processes=3, on_progress=steps.detail) as running:
            cloud = local(running.environment, running.outputs)
            listener = Listener.subscribed(cloud, "demo-listener")
            outcomes = _drop_all(cloud, steps)
            steps.begin("waiting until all is told")
            running.quiet(timeout_s=WAIT_S)
            listener.listen()
            alerts = [event["data"] for event in listener.of_type("vigil.alert.raised")]
            shown = outcomes_table(cloud, outcomes, alerts)
            steps.begin("drawing")
            draw(cloud, outcomes, PICTURES)
            steps.begin("stopping")
    out.print(shown)
    out.print(f"\npictures: {PICTURES.relative_to(BUILD.parent)}/*.png")
    _summary(outcomes, listener, len(alerts), time.monotonic() - began)


def _drop_all(cloud: Deployment, steps: Steps) -> list[Outcome]:
    steps.begin("enrolling two people")
    for name, (photo, tags) in ENROLLED.items():
        answer = enrolled(cloud, name, [photo], tags)
        for refusal in answer["refused"]:
            err.print(f"[red]{photo.name} was refused:[/] {refusal['message']}")
    steps.begin("dropping photographs, strangers and bad files")
    dropped = scenes()
    keys = [f"live/faces/{scene.source}/{scene.file.name}" for scene in dropped]
    ids = [put(cloud, scene.file, key, "faces") for scene, key in zip(dropped, keys, strict=True)]
    outcomes = []
    for scene, row in zip(dropped, settled(cloud.records, ids, WAIT_S), strict=True):
        sightings = cloud.records.sightings(row["drop_id"])
        names = tuple(cloud.name(sighting["label"]) for sighting in sightings)
        outcomes.append(Outcome(scene, row, sightings, names))
    return outcomes


def _summary(outcomes: list[Outcome], listener: Listener, alerts: int, seconds: float) -> None:
    """The last line, and the exit code: 0 only where every drop ended as it had to, told exactly once."""
    ends = {f"{outcome.row['drop_id']}.{outcome.row['state']}" for outcome in outcomes}
    lost = len(outcomes) - len(ends & set(listener.heard))
    duplicates = sum(count - 1 for count in listener.heard.values())
    wrong = [outcome for outcome in outcomes if not outcome.as_expected]
    for outcome in wrong:
        expected = ", ".join((outcome.scene.expected, *outcome.scene.people))
        err.print(f"{outcome.scene.file.name}: {outcome.ended_as} {outcome.names}, should be {expected}")
    states = [outcome.row["state"] for outcome in outcomes]
    counts = f"drops {len(outcomes)} done {states.count('done')} rejected {states.count('rejected')}"
    good = not (lost or duplicates or wrong)
    out.print(
        f"demo: {'ok' if good else 'failed'} {counts} alerts {alerts} lost {lost} duplicates {duplicates}"
        f" seconds {seconds:.1f}"
    )
    if not good:
        raise typer.Exit(1)
