"""Units of reads and writes by the rules of DynamoDB."""

import pytest

from infra.local.moto_.capacity_units import Index, Item, item_size, read_units, write_units

KEYS = ("pk", "sk")
LISTING = Index("listing", ("list_key", "list_at"), None)
OBJECT = Index("object", ("object",), frozenset())


def row(size: int = 100, **attributes: str) -> Item:
    given = {"pk": {"S": "p"}, "sk": {"S": "s"}} | {name: {"S": text} for name, text in attributes.items()}
    return given | {"fill": {"S": "x" * (size - item_size(given) - len("fill"))}}


@pytest.mark.parametrize(
    ("attribute", "size"),
    [
        ({"S": "é"}, 2),
        ({"N": "1200"}, 2),
        ({"N": "-0.0123"}, 3),
        ({"B": "AAAA"}, 3),
        ({"B": b"\0" * 5}, 5),
        ({"BOOL": True}, 1),
        ({"L": [{"S": "ab"}, {"S": "c"}]}, 8),
        ({"M": {"k": {"S": "v"}}}, 6),
        ({"SS": ["ab", "c"]}, 3),
    ],
)
def test_the_size_of_an_attribute_is_its_name_and_its_value(attribute: Item, size: int):
    assert item_size({"ab": attribute}) == 2 + size


@pytest.mark.parametrize(("size", "units"), [(100, 1), (1024, 1), (1025, 2)])
def test_a_write_is_rounded_up_to_whole_kilobytes(size: int, units: int):
    assert write_units(None, row(size), table_keys=KEYS, indexes=[]) == {"": units}


def test_an_update_costs_by_the_larger_size_and_a_delete_by_what_it_deletes():
    assert write_units(row(2000), row(100), table_keys=KEYS, indexes=[]) == {"": 2}
    assert write_units(row(3000), None, table_keys=KEYS, indexes=[]) == {"": 3}
    assert write_units(None, None, table_keys=KEYS, indexes=[]) == {"": 1}


def test_a_transaction_doubles_the_table_and_not_its_indexes():
    item = row(1500, list_key="k", list_at="t")

    assert write_units(None, item, table_keys=KEYS, indexes=[LISTING], transactional=True) == {
        "": 4,
        "listing": 2,
    }


def test_an_index_costs_nothing_if_its_entry_does_not_change():
    before, after = row(object="o", state="claimed"), row(object="o", state="done")

    assert write_units(before, after, table_keys=KEYS, indexes=[OBJECT]) == {"": 1}
    assert write_units(row(), row(), table_keys=KEYS, indexes=[LISTING]) == {"": 1}


def test_an_index_entry_that_moves_is_deleted_and_written():
    before, after = row(list_key="a", list_at="t"), row(list_key="b", list_at="t")

    assert write_units(before, after, table_keys=KEYS, indexes=[LISTING]) == {"": 1, "listing": 2}


def test_a_read_is_rounded_up_to_four_kilobytes_and_costs_half_if_eventual():
    assert read_units([5000], consistent=True) == 2
    assert read_units([5000], consistent=False) == 1
    assert read_units([100] * 20, consistent=True) == 1
    assert read_units([], consistent=False) == 0.5
    assert read_units([100], consistent=True, transactional=True) == 2
