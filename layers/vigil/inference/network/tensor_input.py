"""A file's bytes, or an array in a .npy or JSON file, as the input of a network."""

import io
import tokenize
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigil.errors import EmptyFile
from vigil.inference.network.card import BytesInputSpec, TensorInputSpec
from vigil.inference.network.prepared import InvalidTensor, PreparedInput

BLOCK_BYTES = 4096
"""White space is removed within this many bytes at each end, before the bytes are counted."""

NPY_SIGNATURE = b"\x93NUMPY"
_NPY_ERRORS = (
    ValueError,
    EOFError,
    SyntaxError,
    tokenize.TokenError,
    RecursionError,
    OverflowError,
    TypeError,
    KeyError,
)
"""What numpy raises for damaged headers, which it parses as Python, and data."""


class BytesPreparer:
    """The first and last bytes of a file as numbers."""

    def __init__(self, spec: BytesInputSpec, dtype: np.dtype[Any]) -> None:
        self._spec, self._dtype = spec, dtype

    def __call__(self, data: bytes) -> Iterator[PreparedInput]:
        """Raises EmptyFile."""
        if not data:
            raise EmptyFile("the file has no bytes")
        spec = self._spec
        if spec.strip:
            first = data[: max(spec.head, BLOCK_BYTES)].lstrip()[: spec.head]
            last = data[-max(spec.tail, BLOCK_BYTES) :].rstrip()[-spec.tail :] if spec.tail else b""
        else:
            first, last = data[: spec.head], data[-spec.tail :] if spec.tail else b""
        numbers = np.full((1, spec.head + spec.tail), spec.pad, self._dtype)
        numbers[0, : len(first)] = np.frombuffer(first, np.uint8)
        numbers[0, numbers.shape[1] - len(last) :] = np.frombuffer(last, np.uint8)
        yield PreparedInput({spec.name: numbers}, 1)


class TensorPreparer:
    """An array of the card's shape; the content decides whether it is .npy or JSON."""

    def __init__(self, spec: TensorInputSpec, dtype: np.dtype[Any]) -> None:
        self._spec, self._dtype = spec, dtype

    def __call__(self, data: bytes) -> Iterator[PreparedInput]:
        """Raises EmptyFile, InvalidTensor."""
        if not data:
            raise EmptyFile("the file has no bytes")
        array = _read_npy(data) if data.startswith(NPY_SIGNATURE) else _read_json(data)
        shape = self._spec.shape
        if len(array.shape) == len(shape) - 1:
            array = array[np.newaxis]
        if len(array.shape) != len(shape) or any(
            expected not in (0, actual) for expected, actual in zip(shape, array.shape, strict=True)
        ):
            raise InvalidTensor(f"the array has shape {list(array.shape)}; the model takes {list(shape)}")
        if 0 in array.shape:
            raise InvalidTensor("the array is empty")
        with np.errstate(over="ignore"):
            array = array.astype(self._dtype if self._dtype.kind == "f" else np.float64)
        if not np.isfinite(array).all():
            raise InvalidTensor("the array has values that are no finite numbers")
        yield PreparedInput({self._spec.name: array.astype(self._dtype)}, len(array))


def _read_npy(data: bytes) -> NDArray[Any]:
    """The array, if the file has as many bytes as its header says."""
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        read_header = np.lib.format.read_array_header_1_0
        if version != (1, 0):
            read_header = np.lib.format.read_array_header_2_0
        shape, is_fortran, dtype = read_header(stream)
        if dtype.kind not in "buif" or min(shape, default=0) < 0:
            raise InvalidTensor(f"the .npy file has values of type {dtype} in shape {shape}")
        array = np.frombuffer(data, dtype, offset=stream.tell())
        return array.reshape(shape, order="F" if is_fortran else "C")
    except _NPY_ERRORS as error:
        raise InvalidTensor(f"the .npy file is damaged: {error}") from error


def _read_json(data: bytes) -> NDArray[Any]:
    try:
        values = msgspec.json.decode(data)
        array = np.asarray(values)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidTensor(f"neither a .npy file nor JSON: {error}") from error
    except ValueError as error:
        raise InvalidTensor("the nested lists have different lengths") from error
    if array.dtype.kind not in "buif":
        raise InvalidTensor("the JSON has other values than nested lists of numbers")
    return array
