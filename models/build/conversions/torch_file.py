"""The weights of a file that torch.save wrote (the form before torch 1.6), read without torch.

The file is a pickle. Only the names below may be loaded from it, so that it can run no code.
"""

import io
import pickle
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.build.files import BuildFailure

MAGIC = 0x1950A86A20F9469CFC6C
STORAGES: Mapping[str, np.dtype[Any]] = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}

Weights = dict[str, NDArray[Any]]


def read_torch_file(data: bytes) -> Weights:
    """Every tensor by name. Raises BuildFailure if the file is of another form."""
    stream = io.BytesIO(data)
    if _Unpickler(stream).load() != MAGIC:
        raise BuildFailure("The file is not of torch's form with one pickle after another.")
    for _ in ("protocol", "machine"):
        _Unpickler(stream).load()
    unpickler = _Unpickler(stream)
    tensors = unpickler.load()
    for key in _Unpickler(stream).load():
        kind = unpickler.storages[key]
        (count,) = np.frombuffer(stream.read(8), "<i8")
        unpickler.values[key] = np.frombuffer(stream.read(int(count) * kind.itemsize), kind)
    return {name: _tensor(unpickler.values, *place) for name, place in tensors.items()}


def _tensor(
    values: dict[str, NDArray[Any]],
    key: str,
    offset: int,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    *_: object,
) -> NDArray[Any]:
    """A tensor as a view of a storage; strides are in elements."""
    stored = values[key][offset:]
    steps = [step * stored.itemsize for step in strides]
    return np.lib.stride_tricks.as_strided(stored, shape, steps, writeable=False)


class _Unpickler(pickle.Unpickler):
    """Reads dictionaries, lists, numbers and the places of tensors, and nothing else."""

    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream)
        self.storages: dict[str, np.dtype[Any]] = {}
        self.values: dict[str, NDArray[Any]] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda *place: place
        if module == "torch" and name in STORAGES:
            return name
        raise BuildFailure(f"The file names {module}.{name}, which is no tensor.")

    def persistent_load(self, pid: Any) -> str:
        """("storage", kind, key, device, count, view) of a tensor's values."""
        _, kind, key, *_ = pid
        self.storages[key] = STORAGES[kind]
        return str(key)
