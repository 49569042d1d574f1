"""Finds the rows of a large matrix that are most similar to a probe, by products of 8-bit integers.

ONNX Runtime computes MatMulInteger of uint8 probes with a constant int8 matrix, which it packs when the
session is created. On one core that takes less than a third of the time of the float32 product. The result
selects candidates; their exact cosines are computed afterwards.
"""

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

ROW_LIMIT = 63
"""Largest absolute value of a row's components: products of uint8 and int8 are added in pairs as int16 on
processors without VNNI, and 2 * 255 * 63 is the most that cannot saturate them.
https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html ("reduce_range")"""

PROBE_LIMIT = 127
ZERO_POINT = 128
"""Probes are shifted by this, as products with uint8 are the fast ones."""

BLOCKS = 64
"""The maximum of a block of rows decides whether its rows are sorted."""

MAX_PROBES = 8
"""Probes that are compared at once: the scores of a million rows take 4 MB for each."""

CHUNK_ROWS = 512
"""Rows that are converted at once, so that they stay in the processor's cache."""


class TemplateIndex:
    """The rows of a matrix, rounded to 7 bits and ready for the product.

    rows  (T, D) float16, T >= 1
    """

    def __init__(self, rows: NDArray[np.float16]) -> None:
        self._rows = len(rows)
        quantised = _quantise_rows(rows)
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        options.add_external_initializers(["rows"], [ort.OrtValue.ortvalue_from_numpy(quantised)])
        graph = _search_graph(*quantised.shape)
        self._session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    @property
    def max_count(self) -> int:
        """How many rows `nearest` can find."""
        return self._rows // BLOCKS

    def nearest(self, probes: NDArray[np.float32], count: int) -> NDArray[np.int64]:
        """(n, count) int64: for each probe the indices of its most similar rows, in no order.

        probes  (n, D) float32, unit rows
        count   at most `max_count`
        """
        parts = [
            self._nearest(probes[start : start + MAX_PROBES], count)
            for start in range(0, len(probes), MAX_PROBES)
        ]
        return np.concatenate(parts)

    def _nearest(self, probes: NDArray[np.float32], count: int) -> NDArray[np.int64]:
        """The rows with the highest scores are in the `count` blocks with the highest maxima."""
        (scores,) = self._session.run(None, {"probes": _quantise_probes(probes)})
        scores[:, self._rows :] = np.iinfo(np.int32).min
        block_maxima = scores.reshape(len(probes), BLOCKS, -1).max(axis=1)
        width = block_maxima.shape[1]
        blocks = np.argpartition(block_maxima, width - count, axis=1)[:, width - count :]
        rows = (blocks[:, None, :] + width * np.arange(BLOCKS)[None, :, None]).reshape(len(probes), -1)
        best = np.argpartition(np.take_along_axis(scores, rows, axis=1), -count, axis=1)[:, -count:]
        return np.take_along_axis(rows, best, axis=1).astype(np.int64, copy=False)


def _quantise_rows(rows: NDArray[np.float16]) -> NDArray[np.int8]:
    """(D, N) int8, -63 to 63: one column for each row, and zeros up to a multiple of BLOCKS."""
    quantised = np.zeros((rows.shape[1], -(-len(rows) // BLOCKS) * BLOCKS), np.int8)
    largest = (
        (rows.view(np.uint16) & 0x7FFF).max().view(np.float16)
    )  # without signs, floats order as integers
    scale = ROW_LIMIT / max(float(largest), 1e-6)
    for start in range(0, len(rows), CHUNK_ROWS):
        chunk = rows[start : start + CHUNK_ROWS].astype(np.float32) * np.float32(scale)
        quantised[:, start : start + len(chunk)] = np.rint(chunk, out=chunk).astype(np.int8).T
    return quantised


def _quantise_probes(probes: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(n, D) uint8, 1 to 255, around ZERO_POINT; each probe has a scale of its own."""
    scales = PROBE_LIMIT / np.maximum(np.abs(probes).max(axis=1, keepdims=True), 1e-6)
    quantised: NDArray[np.uint8] = (np.rint(probes * scales) + ZERO_POINT).astype(np.uint8)
    return quantised


UINT8, INT8, INT32 = 2, 3, 6
"""Types of ONNX tensors: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto defines all numbers below."""


def _search_graph(dimensions: int, rows: int) -> bytes:
    """The ONNX model of one MatMulInteger with an external matrix, whose shape a model must state.

    It is encoded here because the runtime has no package that writes ONNX models.
    """
    matrix = (
        *(_number(1, size) for size in (dimensions, rows)),
        _number(2, INT8),
        _text(8, "rows"),
        _message(13, _text(1, "location"), _text(2, "memory")),
        _number(14, 1),
    )
    zero_point = (_number(2, UINT8), _text(8, "zero_point"), _message(9, bytes([ZERO_POINT])))
    inputs = [_text(1, name) for name in ("probes", "rows", "zero_point")]
    graph = (
        _message(1, *inputs, _text(2, "scores"), _text(4, "MatMulInteger")),
        _text(2, "search"),
        _message(5, *matrix),
        _message(5, *zero_point),
        _message(11, *_tensor_value("probes", UINT8, dimensions)),
        _message(12, *_tensor_value("scores", INT32, rows)),
    )
    return _number(1, 8) + _message(7, *graph) + _message(8, _number(2, 13))


def _tensor_value(name: str, kind: int, columns: int) -> tuple[bytes, bytes]:
    """The name and type of an input or output with any number of rows."""
    shape = _message(2, _message(1, _text(2, "n")), _message(1, _number(1, columns)))
    return _text(1, name), _message(2, _message(1, _number(1, kind), shape))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _text(field: int, value: str) -> bytes:
    return _message(field, value.encode())


def _message(field: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    """A number in Protocol Buffers: 7 bits a byte, the lowest first."""
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    return bytes([*encoded, value])
