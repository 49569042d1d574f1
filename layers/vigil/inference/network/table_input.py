"""The rows of a table as the input of a network: CSV with a header, JSON lines, or JSON."""

import csv
import io
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import msgspec
import numpy as np

from vigil.inference.network.card import Feature, TableInputSpec
from vigil.inference.network.prepared import InputTooLong, InvalidTable, PreparedInput
from vigil.inference.network.text_input import read_text

CHUNK_ROWS = 256
MAX_FLOAT32 = float(np.finfo(np.float32).max)
TRUE = {"true", "1", "yes"}
BOOLEANS = TRUE | {"false", "0", "no"}

Row = Mapping[str, Any]


class TablePreparer:
    """Reads rows by the names of the card's features; columns that are no feature are ignored."""

    def __init__(self, spec: TableInputSpec, dtype: np.dtype[Any]) -> None:
        self._spec, self._dtype = spec, dtype

    def __call__(self, data: bytes) -> Iterator[PreparedInput]:
        """Chunks of rows, as they are read. Raises EmptyFile, NotText, InvalidTable, InputTooLong."""
        rows = enumerate(self._read_rows(read_text(data)), start=1)
        is_empty = True
        while chunk := list(islice(rows, CHUNK_ROWS)):
            is_empty = False
            if chunk[-1][0] > self._spec.max_rows:
                raise InputTooLong(f"the table has more than {self._spec.max_rows:,} rows")
            values = np.array([self._convert(row, number) for number, row in chunk], self._dtype)
            yield PreparedInput(
                {self._spec.name: values}, len(chunk), rows=tuple(number for number, _ in chunk)
            )
        if is_empty:
            raise InvalidTable("the table has no rows")

    def _read_rows(self, text: str) -> Iterable[Row]:
        start = text.lstrip()[:1]
        if start == "[":
            return _json_rows(text)
        return _json_lines(text) if start == "{" else self._csv_rows(text)

    def _csv_rows(self, text: str) -> Iterator[Row]:
        delimiter = max(",;\t", key=text.partition("\n")[0].count)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        try:
            header = [name.strip() for name in next(reader)]
            self._check_header(header)
            for number, cells in enumerate((cells for cells in reader if cells), start=1):
                if len(cells) != len(header):
                    raise InvalidTable(
                        f"row {number} has {len(cells)} cells; the header has {len(header)} columns"
                    )
                yield dict(zip(header, cells, strict=True))
        except csv.Error as error:
            raise InvalidTable(f"line {reader.line_num} is not CSV: {error}") from error

    def _check_header(self, header: list[str]) -> None:
        missing = [one.name for one in self._spec.features if one.missing is None and one.name not in header]
        if missing:
            raise InvalidTable(
                f"the first line has no column {', '.join(missing[:5])}; it must be the header, such as "
                f"{','.join(one.name for one in self._spec.features[:5])}"
            )
        if repeated := [name for name, count in Counter(header).items() if name and count > 1]:
            raise InvalidTable(f"two columns have the name {min(repeated)[:60]!r}")

    def _convert(self, row: Row, number: int) -> list[float]:
        return [_convert_cell(row.get(feature.name), feature, number) for feature in self._spec.features]


def _json_lines(text: str) -> Iterator[Row]:
    """One object a line; or one object over several lines, which is one row."""
    lines = [line for line in text.splitlines() if line.strip()]
    try:
        first = msgspec.json.decode(lines[0])
    except (msgspec.DecodeError, RecursionError):
        yield _require_object(_decode_json(text, ""), 1)
        return
    yield _require_object(first, 1)
    for number, line in enumerate(lines[1:], start=2):
        yield _require_object(_decode_json(line, f"row {number}: "), number)


def _json_rows(text: str) -> Iterator[Row]:
    for number, one in enumerate(_decode_json(text, ""), start=1):
        yield _require_object(one, number)


def _decode_json(text: str, place: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidTable(f"{place}not JSON: {error}") from error


def _require_object(value: Any, number: int) -> Row:
    if not isinstance(value, dict):
        raise InvalidTable(f'row {number} is no JSON object such as {{"amount": 12.5}}')
    return value


def _convert_cell(cell: Any, feature: Feature, number: int) -> float:
    """The number of a cell. Raises InvalidTable, which names row and feature."""
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        if feature.missing is None:
            raise InvalidTable(f"row {number}: {feature.name} is missing")
        cell = feature.missing
    text = str(cell).strip()
    if feature.type == "category":
        if text not in feature.categories:
            allowed = ", ".join(feature.categories[:10])
            raise InvalidTable(f"row {number}: {feature.name} is {text[:60]!r}; allowed: {allowed}")
        return float(feature.categories.index(text))
    value = _to_number(text, feature)
    if value is None:
        raise InvalidTable(f"row {number}: {feature.name} is {text[:60]!r}, which is no {feature.type}")
    low, high = feature.minimum, feature.maximum
    if (low is not None and value < low) or (high is not None and value > high):
        raise InvalidTable(f"row {number}: {feature.name} is {value:g}, outside of {low} to {high}")
    return value


def _to_number(text: str, feature: Feature) -> float | None:
    if feature.type == "boolean" and (word := text.lower()) in BOOLEANS:
        return float(word in TRUE)
    try:
        value = float(text)
    except ValueError:
        return None
    is_valid = math.isfinite(value) and abs(value) <= MAX_FLOAT32 and "_" not in text
    return value if is_valid and (feature.type == "number" or value in (0, 1)) else None
