"""Wrong files of each kind are rejected with a reason: never a retry, never a crash."""

import io
import json
import struct
import wave
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.fakes.network_releases import INPUTS, network_files, opened_network
from vigil.errors import Rejected
from vigil.inference.network.check import example_input
from vigil.inference.network.model import NetworkModel
from vigil.inference.types import ignore_stage


@cache
def model(kind: str) -> NetworkModel:
    return opened_network(Path(mkdtemp()), network_files(kind))


def reason(kind: str, data: bytes) -> str:
    with pytest.raises(Rejected) as rejected:
        model(kind).predict(data, {}, ignore_stage)
    assert str(rejected.value)
    return rejected.value.reason


def wav(samples: np.ndarray, rate: int = 8000, *, channels: int = 1) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((channels, 2, rate, 0, "NONE", ""))
        file.writeframes(samples.astype("<i2").tobytes())
    return out.getvalue()


def float_wav(values: list[float]) -> bytes:
    body = np.array(values, "<f4").tobytes()
    header = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(body), b"WAVE", b"fmt ", 16, 3, 1, 8000,
                         32000, 4, 32, b"data", len(body))  # fmt: skip
    return header + body


def npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def png(size: tuple[int, int] = (8, 8)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size).save(out, "PNG")
    return out.getvalue()


SOUND = wav(np.arange(4000) % 100)
ROW = {"amount": 1.5, "country": "DE", "present": True}
CSV = b"amount,country,present\n"
FOREIGN: Mapping[str, bytes] = {
    "nothing": b"",
    "zip": b"PK\x03\x04" + bytes(60),
    "pdf": b"%PDF-1.7\n\xe2\xe3\xcf\xd3",
    "utf-16": "amount,country\n1,DE".encode("utf-16"),
    "latin-1": "größe".encode("latin-1"),
    "nul": b"abc\0def",
    "spaces": b" \n\t ",
    "half a picture": png()[:40],
    "half a number": b"\x93NUMPY\x01\x00",
    "random": np.random.default_rng(1).bytes(999),
}
WRONG: Mapping[str, Mapping[str, tuple[bytes, str]]] = {
    "image": {
        "text": (b"a text", "not-an-image"),
        "sound": (SOUND, "not-an-image"),
        "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not-an-image"),
        "cut": (png((200, 200))[:-60], "truncated-image"),
        "signature": (b"\x89PNG\r\n\x1a\n", "truncated-image"),
        "jpeg signature": (b"\xff\xd8\xff\xe0", "truncated-image"),
        "too many pixels": (png((8000, 8000)), "too-many-pixels"),
        "a table": (CSV, "not-an-image"),
        "an array": (npy(np.zeros((3, 12, 16))), "not-an-image"),
        "html": (b"<!doctype html><title>x</title>", "not-an-image"),
    },
    "text": {
        "a picture": (png(), "not-text"),
        "a sound": (SOUND, "not-text"),
        "an array": (npy(np.zeros(3)), "not-text"),
        "surrogates": (b"\xed\xa0\x80", "not-text"),
        "cut utf-8": ("grün".encode()[:3], "not-text"),
        "overlong": (b"\xc0\xaf", "not-text"),
        "only a byte order mark": (b"\xef\xbb\xbf", "not-text"),
        "newlines": (b"\n" * 99, "not-text"),
        "nul at the end": (b"good\0", "not-text"),
        "gzip": (b"\x1f\x8b\x08" + bytes(30), "not-text"),
    },
    "audio": {
        "text": (b"a text", "not-sound"),
        "a picture": (png(), "not-sound"),
        "half a header": (SOUND[:20], "not-sound"),
        "no samples": (wav(np.zeros(0)), "not-sound"),
        "nan": (float_wav([0.0, float("nan")]), "not-sound"),
        "infinity": (float_wav([float("inf")] * 9), "not-sound"),
        "too long": (wav(np.zeros(8000 * 601)), "input-too-long"),
        "flac signature": (b"fLaC" + bytes(50), "not-sound"),
        "ogg signature": (b"OggS" + bytes(50), "not-sound"),
        "aiff": (b"FORM\0\0\0\x2eAIFFCOMM" + bytes(50), "not-sound"),
    },
    "table": {
        "no header": (b"1.5,DE,1\n2,FR,0\n", "invalid-table"),
        "only a header": (CSV, "invalid-table"),
        "a missing cell": (CSV + b"1,DE,1\n,DE,1\n", "invalid-table"),
        "too few cells": (CSV + b"1,DE\n", "invalid-table"),
        "a word": (CSV + b"much,DE,1\n", "invalid-table"),
        "a foreign category": (CSV + b"1,XX,1\n", "invalid-table"),
        "below the minimum": (CSV + b"-1,DE,1\n", "invalid-table"),
        "no boolean": (CSV + b"1,DE,3\n", "invalid-table"),
        "nan": (CSV + b"nan,DE,1\n", "invalid-table"),
        "beyond float32": (CSV + b"1e39,DE,1\n", "invalid-table"),
        "underscores": (CSV + b"1_0,DE,1\n", "invalid-table"),
        "an open quote": (CSV + b'"1,DE,1\n', "invalid-table"),
        "a repeated column": (b"amount,amount,country\n1,1,DE\n", "invalid-table"),
        "broken json": (b'[{"amount": 1', "invalid-table"),
        "a list of numbers": (b"[1, 2]", "invalid-table"),
        "an empty list": (b"[]", "invalid-table"),
        "a broken line": (json.dumps(ROW).encode() + b"\n{", "invalid-table"),
        "a nested cell": (json.dumps({**ROW, "amount": [1]}).encode(), "invalid-table"),
        "null": (json.dumps({**ROW, "amount": None}).encode(), "invalid-table"),
        "a deep list": (b"[" * 5000, "invalid-table"),
        "a huge number": (b'[{"amount": ' + b"9" * 5000 + b"}]", "invalid-table"),
        "a picture": (png(), "not-text"),
    },
    "tensor": {
        "text": (b"a text", "invalid-tensor"),
        "another shape": (npy(np.zeros((2, 6))), "invalid-tensor"),
        "too many axes": (npy(np.zeros((1, 1, 1, 5))), "invalid-tensor"),
        "a number": (b"3", "invalid-tensor"),
        "an object": (b'{"x": 1}', "invalid-tensor"),
        "ragged": (b"[[1, 2], [3]]", "invalid-tensor"),
        "words": (b'["a", "b", "c", "d", "e"]', "invalid-tensor"),
        "null": (b"[null, 1, 2, 3, 4]", "invalid-tensor"),
        "nan": (npy(np.full((1, 5), np.nan)), "invalid-tensor"),
        "beyond float32": (b"[1e300, 1, 2, 3, 4]", "invalid-tensor"),
        "complex": (npy(np.zeros((1, 5), complex)), "invalid-tensor"),
        "objects": (b"\x93NUMPY\x01\x00v\x00{'descr': '|O'", "invalid-tensor"),
        "cut": (npy(np.zeros((3, 5)))[:-8], "invalid-tensor"),
        "empty": (npy(np.zeros((0, 5))), "invalid-tensor"),
        "a shape of terabytes": (
            npy(np.zeros((1, 5))).replace(b"(1, 5)", b"(9999999999999, 5)"),
            "invalid-tensor",
        ),
        "a negative shape": (npy(np.zeros((1, 5))).replace(b"(1, 5)", b"(-1,5)"), "invalid-tensor"),
        "no dictionary": (b"\x93NUMPY\x01\x00\x10\x00__import__('os')", "invalid-tensor"),
        "a deep list": (b"[" * 5000, "invalid-tensor"),
        "dates": (npy(np.zeros((1, 5), "datetime64[s]")), "invalid-tensor"),
        "a picture": (png(), "invalid-tensor"),
    },
    "bytes": {"nothing": (b"", "empty-file")},
}


@pytest.mark.parametrize(("kind", "case"), [(kind, case) for kind in WRONG for case in WRONG[kind]])
def test_a_wrong_file_has_a_reason(kind: str, case: str):
    data, expected = WRONG[kind][case]

    assert reason(kind, data) == expected


@pytest.mark.parametrize("kind", sorted(set(INPUTS) - {"bytes"}))
@pytest.mark.parametrize("case", FOREIGN)
def test_a_file_of_another_format_has_a_reason(kind: str, case: str):
    if (kind, case) in {("text", "half a number"), ("text", "zip")}:
        pytest.skip("rejected for its NUL characters in the list above")
    assert reason(kind, FOREIGN[case])


@given(kind=st.sampled_from(sorted(INPUTS)), data=st.binary(max_size=300))
def test_any_bytes_are_answered_or_rejected(kind: str, data: bytes):
    _answer_or_reject(kind, data)


@pytest.mark.parametrize("header", [b"{'descr': '<f4\x00", b"{'shape': (", b"(" * 4000])
def test_a_header_of_an_array_that_is_no_dictionary_is_rejected(header: bytes):
    data = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header

    _answer_or_reject("tensor", data)


@given(
    kind=st.sampled_from(sorted(INPUTS)),
    cut=st.floats(0, 1),
    place=st.floats(0, 1),
    value=st.binary(max_size=4),
)
def test_a_damaged_file_is_answered_or_rejected(kind: str, cut: float, place: float, value: bytes):
    example = example_input(model(kind).card.input)
    start = int(place * len(example))
    damaged = (example[:start] + value + example[start + len(value) :])[: max(1, int(cut * len(example)))]

    _answer_or_reject(kind, damaged)


def _answer_or_reject(kind: str, data: bytes) -> None:
    try:
        found = model(kind).predict(data, {}, ignore_stage)
    except Rejected:
        return
    assert found.sightings


def test_a_row_that_is_wrong_is_named_by_its_number():
    with pytest.raises(Rejected, match=r"row 2: amount is 'x', which is no number"):
        model("table").predict(CSV + b"1,DE,1\nx,DE,1\n", {}, ignore_stage)


@pytest.mark.parametrize(
    "data",
    [
        CSV + b"1.5,DE,true\n2,FR,\n",
        b"present;country;amount;more\r\n1;DE;1.5;x\r\n;FR;2;\r\n",
        json.dumps([ROW, {"amount": "2", "country": "FR"}]).encode(),
        b'{"amount": 1.5, "country": "DE", "present": true}\n{"amount": 2, "country": "FR"}\n',
        b"\xef\xbb\xbf" + CSV + b"1.5,DE,1\n2,FR,0",
    ],
)
def test_rows_are_the_same_in_every_format(data: bytes):
    found = model("table").find_all(data)[0]

    assert {one.row for one in found} == {1, 2}
    assert [one.score for one in found] == [
        one.score for one in model("table").find_all(CSV + b"1.5,DE,1\n2,FR,0\n")[0]
    ]


@pytest.mark.timeout(60)  # less than a second; minutes when every name was searched in the whole header
def test_a_table_of_a_hundred_thousand_columns_is_read():
    names = "".join(f",c{number}" for number in range(100_000))
    data = CSV[:-1] + names.encode() + b"\n1.5,DE,1" + b"," * 100_000 + b"\n"

    (found,) = model("table").find_all(data)[0]

    assert found.score == model("table").find_all(CSV + b"1.5,DE,1\n")[0][0].score


def test_an_answer_that_is_no_number_is_the_inputs_fault():
    assert reason("tensor", json.dumps([3e38] * 5).encode()) == "no-finite-output"
