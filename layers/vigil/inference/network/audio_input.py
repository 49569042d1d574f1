"""A recording as the input of a network: mono samples at the network's rate, as a clip or as windows."""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigil.errors import EmptyFile
from vigil.inference.network.card import AudioInputSpec
from vigil.inference.network.prepared import InputTooLong, NotSound, PreparedInput

Samples = NDArray[np.float32]

FORMATS = frozenset({"WAV", "WAVEX", "RF64", "FLAC", "OGG", "MP3"})
BLOCK_FRAMES = 65_536
MAX_CHANNELS = 32
LOUDNESS_S = 0.02
"""Time over which energy is added up to find the loudest part."""


def decode_sound(data: bytes, rate: int, max_s: float) -> Samples:
    """(S,) float32, -1 to 1: the recording, its channels averaged, resampled to `rate` samples a second.

    Raises EmptyFile, NotSound, InputTooLong.
    """
    import soundfile  # noqa: PLC0415 - only models of sound load it

    if not data:
        raise EmptyFile("the file has no bytes")
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            return _read_file(file, rate, max_s)
    except (soundfile.SoundFileError, ValueError, TypeError, OverflowError) as error:
        raise NotSound(f"no recording in WAV, FLAC, Ogg or MP3, or it is damaged: {error}") from error


def _read_file(file: Any, rate: int, max_s: float) -> Samples:
    import soxr  # noqa: PLC0415

    if file.format not in FORMATS:
        raise NotSound(f"a recording in {file.format}; use WAV, FLAC, Ogg or MP3")
    if file.channels > MAX_CHANNELS or not 1000 <= file.samplerate <= 384_000:
        raise NotSound(f"{file.channels} channels at {file.samplerate} Hz is no recording")
    resampler = soxr.ResampleStream(file.samplerate, rate, 1, dtype="float32")
    left, blocks = int(max_s * file.samplerate), []
    while len(frames := file.read(BLOCK_FRAMES, dtype="float32", always_2d=True)):
        left -= len(frames)
        if left < 0:
            raise InputTooLong(f"the recording is longer than {max_s:g} s")
        mono = frames.mean(axis=1, dtype=np.float32)
        if not np.isfinite(mono).all():
            raise NotSound("the recording has samples that are no finite numbers")
        blocks.append(resampler.resample_chunk(mono))
    if not blocks:
        raise NotSound("the recording has no samples")
    blocks.append(resampler.resample_chunk(np.zeros(0, np.float32), last=True))
    return np.concatenate(blocks)


class AudioPreparer:
    """Decodes a recording and cuts it as the card says."""

    def __init__(self, spec: AudioInputSpec) -> None:
        self._spec = spec

    def __call__(self, data: bytes) -> Iterator[PreparedInput]:
        """Raises what `decode_sound` raises."""
        spec = self._spec
        samples = decode_sound(data, spec.rate, spec.max_s) * np.float32(spec.scale)
        if spec.window is not None:
            yield self._stream(samples, spec.window)
            return
        start = 0
        if spec.clip_s is not None:
            samples, start = _clip(samples, round(spec.clip_s * spec.rate), spec)
        span = start / spec.rate, (start + len(samples)) / spec.rate
        feeds: dict[str, NDArray[Any]] = {spec.name: samples[np.newaxis]}
        if spec.mask:
            feeds[spec.mask] = np.ones((1, len(samples)), np.int64)
        yield PreparedInput(feeds, 1, spans_s=(span,))

    def _stream(self, samples: Samples, window: int) -> PreparedInput:
        """(windows, context + window): the last window is padded with silence."""
        spec = self._spec
        hop = spec.hop or window
        count = max(1, 1 + -(-(len(samples) - window) // hop))
        padded = np.zeros(spec.context + (count - 1) * hop + window, np.float32)
        padded[spec.context : spec.context + len(samples)] = samples[: len(padded) - spec.context]
        windows = np.lib.stride_tricks.sliding_window_view(padded, spec.context + window)[::hop]
        starts = np.arange(count) * hop / spec.rate
        spans = tuple((float(start), float(start + window / spec.rate)) for start in starts)
        return PreparedInput({spec.name: np.ascontiguousarray(windows)}, count, spans_s=spans)


def _clip(samples: Samples, length: int, spec: AudioInputSpec) -> tuple[Samples, int]:
    """(length,) and the place where it begins; a shorter sound is padded with silence."""
    if spec.align == "centre":
        start = _energy_centre(samples) - length // 2
        padded = np.pad(samples, (max(0, -start), max(0, start + length - len(samples))))
        return padded[max(0, start) :][:length], max(0, start)
    if len(samples) <= length:
        return np.pad(samples, (0, length - len(samples))), 0
    start = 0 if spec.align == "start" else _loudest_start(samples, length, round(LOUDNESS_S * spec.rate))
    return samples[start : start + length], start


def _energy_centre(samples: Samples) -> int:
    """The mean place of the energy; of silence, the middle."""
    energy = np.square(samples, dtype=np.float64)
    total = float(energy.sum())
    return round(float(np.arange(len(samples)) @ energy) / total) if total else len(samples) // 2


def _loudest_start(samples: Samples, length: int, step: int) -> int:
    """Where the clip of the highest energy begins, in steps."""
    energy = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
    starts = np.arange(0, len(samples) - length + 1, max(1, step))
    return int(starts[np.argmax(energy[starts + length] - energy[starts])])
