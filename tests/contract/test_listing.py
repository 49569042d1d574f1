"""Lists that are spread over many index keys: as they were with one, in order and page after page."""

from collections import Counter
from datetime import timedelta
from itertools import islice
from typing import Any

import pytest

from cloud.dynamodb.drops import DynamoDropReader
from cloud.dynamodb.profiles import DynamoProfiles
from cloud.dynamodb.schema import LIST_SHARDS, list_key, list_keys
from tests.contract.test_ledger import dynamo_ledger
from tests.fakes.memory import NOON
from vigil.drops.messages import Drop, InlinePayload
from vigil.people.person import Person

COUNT = 40
SINCE = NOON - timedelta(days=1)


@pytest.fixture
def reader(table: Any) -> DynamoDropReader:
    """Drops that were claimed one second after another, two of them at the same time."""
    ledger = dynamo_ledger(table)
    for number in range(COUNT):
        now = NOON + timedelta(seconds=number // 2)
        drop = Drop(f"d{number:02}", "faces", "vault", InlinePayload(b""), NOON)
        ledger.claim(drop, owner="w", now=now, until=now)
    return DynamoDropReader(table, "t")


def test_the_rows_of_a_list_are_spread_evenly_over_its_keys():
    numbers = Counter(list_key("drops", f"{number:032x}") for number in range(8000))

    assert set(numbers) == set(list_keys("drops"))
    assert len(numbers) == LIST_SHARDS >= 16
    assert max(numbers.values()) < 8000 / LIST_SHARDS * 1.25


def test_no_key_of_the_index_has_the_whole_list(reader: DynamoDropReader, table: Any):
    rows = table.scan(TableName="t", IndexName="listing")["Items"]

    assert len({row["list_key"]["S"] for row in rows}) > LIST_SHARDS / 2


def test_a_list_shows_the_newest_first(reader: DynamoDropReader):
    found = list(reader.list_drops(since=SINCE))

    assert [one.drop_id for one in found] == [f"d{number:02}" for number in reversed(range(COUNT))]


@pytest.mark.parametrize("page", [1, 3, 7])
def test_pages_by_cursor_show_each_row_once(reader: DynamoDropReader, page: int):
    found: list[str] = []
    before = ""
    while rows := list(islice(reader.list_drops(since=SINCE, before=before, page_size=page), page)):
        found += [one.drop_id for one in rows]
        before = rows[-1].list_at

    assert found == [f"d{number:02}" for number in reversed(range(COUNT))]


def test_people_are_listed_page_by_page_in_the_order_of_their_ids(people_table: Any):
    profiles = DynamoProfiles(people_table, "people")
    for number in range(COUNT):
        profiles.create(Person(f"p-{number:02}", f"name {number}"), NOON)

    found: list[str] = []
    while rows := list(islice(profiles.list_page(after=found[-1] if found else "", page_size=7), 7)):
        found += [one.person.id for one in rows]

    assert found == [f"p-{number:02}" for number in range(COUNT)]
