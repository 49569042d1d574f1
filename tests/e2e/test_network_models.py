"""A dropped file of each kind goes the whole way, from S3 to SNS, with models that only have a card."""

from tests.e2e.conftest import RunningSystem
from tests.fakes.message_schemas import EVENT_SCHEMAS, assert_matches_schema
from tests.fakes.network_releases import INPUTS, network_releases
from vigil.inference.network.card import NetworkModelCard
from vigil.inference.network.check import example_input
from vigil.toml_file import parse_toml


def _example(model: str) -> bytes:
    card = parse_toml("card.toml", network_releases()[model]["card.toml"]).convert(NetworkModelCard)
    return example_input(card.input)


def test_a_file_of_each_kind_becomes_sightings_an_alert_and_events(site: RunningSystem):
    drops = {
        kind: site.drop_bytes(_example(f"tiny-{kind}"), name="file.bin", source="kinds", model=f"tiny-{kind}")
        for kind in INPUTS
    }
    rows = site.wait_until_completed(*drops.values())

    assert {row["drop_id"]: (row["state"], row["attempts"]) for row in rows} == dict.fromkeys(
        drops.values(), ("done", 1)
    )
    for kind, drop in drops.items():
        events, sightings = site.events_about(drop), site.cloud.records.sightings(drop)
        assert sightings, kind
        assert {event["type"] for event in events} == {"vigil.drop.done", "vigil.alert.raised"}, kind
        for event in events:
            assert_matches_schema(EVENT_SCHEMAS[event["type"]], event)
    assert [one["row"] for one in site.cloud.records.sightings(drops["table"])] == [1, 2]
    assert all(one["box_px"] for one in site.cloud.records.sightings(drops["image"]))
    assert all(one["span_s"] for one in site.cloud.records.sightings(drops["stream"]))


def test_a_wrong_file_of_each_kind_is_rejected_at_once(site: RunningSystem):
    drops = {
        kind: site.drop_bytes(b"\xff\xfe\0 wrong" * (kind != "bytes"), source="kinds", model=f"tiny-{kind}")
        for kind in INPUTS
    }
    rows = site.wait_until_completed(*drops.values())

    reasons = {row["drop_id"]: (row["state"], row["attempts"], row["reason"]) for row in rows}
    assert {kind: reasons[drop] for kind, drop in drops.items()} == {
        "image": ("rejected", 1, "not-an-image"),
        "text": ("rejected", 1, "not-text"),
        "audio": ("rejected", 1, "not-sound"),
        "stream": ("rejected", 1, "not-sound"),
        "table": ("rejected", 1, "not-text"),
        "bytes": ("rejected", 1, "empty-file"),
        "tensor": ("rejected", 1, "invalid-tensor"),
    }
