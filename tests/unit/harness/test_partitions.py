"""No key of the ledger and its lists is hot at a thousand photos a second."""

from tests.simulation.partitions import play


def test_no_key_takes_more_than_a_third_of_a_partition():
    load = play(20_000)

    assert {group for group in load.peaks if group.startswith("listing")} == {
        "listing completed",
        "listing drops",
        "listing sightings",
        "listing alerts",
    }
    assert max(load.peaks.values()) <= 0.3
    assert load.throttled == 0


def test_a_list_with_one_key_would_be_throttled():
    load = play(3_000, shards=1)

    assert load.peaks["listing drops"] > 1
    assert load.throttled > 0
