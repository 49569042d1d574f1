"""A model that sees another world sets off an alarm, and the alarm orders a lesson: one, and no second."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from cloud.jobs import DynamoJobs, Kept
from cloud.library import S3Library
from cloud.sketches import DynamoSketches, written
from cloud.state import States
from tests.e2e.conftest import Site, until
from tests.e2e.test_learning import MODEL, labelled, picture, small
from tests.e2e.test_steady import invoked
from vigil.learn.dispatch import Job
from vigil.learn.sketch import Sketch, sketched
from vigil.seeing import Sighting

LONG_AGO = datetime.now(UTC) - timedelta(days=8)
ALARM_S = 90.0


def seen(score: float) -> Sketch:
    return sketched(Sighting("red", "known", score) for _ in range(300))


def test_a_drifted_model_is_taught_anew_once(site: Site):
    rows, table = site.cloud.client("dynamodb"), site.cloud.outputs["RecordsTable"]
    states, sketches = States(rows, table), DynamoSketches(rows, table)
    labelled(site, 60)
    library = S3Library(site.cloud.client("s3"), site.cloud.outputs["StoreBucket"])
    library.put(f"recipes/{MODEL}.toml", small().encode())
    states.put("schools", {"models": [MODEL]})
    states.put(f"taught#{MODEL}", {"data": "d1", "at": LONG_AGO.isoformat()})
    (answer,) = site.ended(site.put(picture("red", 1), name="red.png", model=MODEL, source="studio"))
    release = str(answer["release"])
    states.put(f"reference#{MODEL}#{release}", written(seen(0.95)))
    sketches.add(MODEL, release, seen(0.45), datetime.now(UTC))
    before = {job.name for job in open_jobs(site)}
    site.running.trainings.refusals = 1000

    invoked(site, "Retrain")
    (job,) = until(lambda: [one for one in open_jobs(site) if one.name not in before], within_s=ALARM_S)
    invoked(site, "Retrain")

    site.running.trainings.refusals = 0
    ended = [one for one in open_jobs(site) if one.name not in before]
    alarms = site.cloud.client("cloudwatch").describe_alarms(AlarmNames=["vigil-test-drift"])["MetricAlarms"]
    assert [alarm["StateValue"] for alarm in alarms] == ["ALARM"]
    assert [(one.name, one.state) for one in ended] == [(job.name, "waiting")]
    DynamoJobs(rows, table).keep(Kept(replace(ended[0], state="stopped")))


def open_jobs(site: Site) -> list[Job]:
    jobs = DynamoJobs(site.cloud.client("dynamodb"), site.cloud.outputs["RecordsTable"])
    return [kept.job for kept in jobs.of(MODEL) if kept.open]
