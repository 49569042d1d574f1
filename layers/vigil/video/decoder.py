"""Decodes clips with PyAV; what it cannot or must not decode is rejected with a reason."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image

from vigil.drops.messages import MAX_CLIP_BYTES
from vigil.errors import Rejected, TooManyPixels
from vigil.video.frames import Frame

GREY_WIDTH = 320
"""About the width of the reduced frames that the selection compares."""

_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi"
"""FFmpeg's names of mp4, mov, mkv, webm and avi. Formats that name other files, such as playlists, are not
among them: a clip must not make the decoder read anything but itself."""

CODECS = frozenset({"h264", "hevc", "av1", "vp8", "vp9", "mpeg4", "mpeg2video", "mjpeg", "prores"})


class NotAClip(Rejected):
    """The bytes are not a video in a supported container, or none of its frames can be decoded."""

    reason = "not-a-clip"


class UnsupportedCodec(Rejected):
    """The video is encoded in a way that is not supported."""

    reason = "unsupported-codec"


class ClipTooLong(Rejected):
    """The clip lasts too long or has too many frames."""

    reason = "clip-too-long"


@dataclass(frozen=True, slots=True)
class ClipLimits:
    """Limits of one clip."""

    max_bytes: int = MAX_CLIP_BYTES
    max_duration_s: float = 3600.0
    max_frames: int = 250_000
    max_pixels: int = 4096 * 2304


@dataclass(frozen=True, slots=True)
class ClipInfo:
    """What a clip's header says; the duration is 0 if it does not say it."""

    codec: str
    width_px: int
    height_px: int
    duration_s: float


class Clip:
    """The video of an open clip."""

    def __init__(self, container: InputContainer, stream: VideoStream, limits: ClipLimits) -> None:
        self._container, self._stream, self._limits = container, stream, limits
        self.info = _read_info(container, stream)

    def frames(self, from_s: float) -> Iterator[Frame]:
        """The frames in their order, from a key frame at or before a time. Raises NotAClip, ClipTooLong.

        Frames that cannot be decoded are left out.
        """
        decoded = 0
        if from_s > 0:
            self._seek(from_s)
        try:
            for packet in self._container.demux(self._stream):
                for raw in _decode(self._stream, packet):
                    decoded += 1
                    yield self._to_frame(raw, decoded)
        except av.FFmpegError as error:
            if not decoded:
                raise NotAClip(f"no frame can be decoded: {error}") from error
        if not decoded and from_s <= 0:
            raise NotAClip("no frame can be decoded")

    def _to_frame(self, raw: VideoFrame, decoded: int) -> Frame:
        rate = float(self._stream.average_rate or 25)
        time_s = decoded / rate if raw.time is None else raw.time - _start_s(self._stream)
        number = max(0, round(time_s * rate))
        if time_s > self._limits.max_duration_s or number > self._limits.max_frames:
            raise _too_long(self._limits)
        _check_pixels(raw.width, raw.height, self._limits)
        return Frame(number, max(0.0, time_s), reduced_grey(raw), lambda: upright_image(raw))

    def _seek(self, time_s: float) -> None:
        """Go to a key frame before a time; a container without an index is read from its beginning."""
        base = self._stream.time_base
        if base is None:
            return
        try:
            offset = int((time_s + _start_s(self._stream)) / base)
            self._container.seek(offset, stream=self._stream, backward=True)
        except av.FFmpegError:
            self._container.seek(0, any_frame=True)


@contextmanager
def open_clip(file: Path, limits: ClipLimits) -> Iterator[Clip]:
    """Raises NotAClip, UnsupportedCodec, TooManyPixels, ClipTooLong."""
    options = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
    try:
        container = av.open(str(file), options=options)
    except (av.FFmpegError, ValueError) as error:
        raise NotAClip("this is not a video in mp4, mov, mkv, avi or webm") from error
    with container:
        if not container.streams.video:
            raise NotAClip("the file contains no video")
        clip = Clip(container, container.streams.video[0], limits)
        _check_limits(clip.info, limits)
        yield clip


def _read_info(container: InputContainer, stream: VideoStream) -> ClipInfo:
    duration_s = 0.0
    if container.duration is not None:
        duration_s = container.duration / av.time_base
    elif stream.duration is not None and stream.time_base is not None:
        duration_s = float(stream.duration * stream.time_base)
    context = stream.codec_context
    return ClipInfo(context.codec.canonical_name, context.width, context.height, max(0.0, duration_s))


def _check_limits(info: ClipInfo, limits: ClipLimits) -> None:
    if info.codec not in CODECS:
        raise UnsupportedCodec(f"the codec {info.codec} is not one of {', '.join(sorted(CODECS))}")
    if info.duration_s > limits.max_duration_s:
        raise _too_long(limits)
    _check_pixels(info.width_px, info.height_px, limits)


def _check_pixels(width: int, height: int, limits: ClipLimits) -> None:
    if width * height > limits.max_pixels:
        raise TooManyPixels(f"frames of {width}×{height} have more than {limits.max_pixels} pixels")


def _too_long(limits: ClipLimits) -> ClipTooLong:
    minutes = limits.max_duration_s / 60
    return ClipTooLong(f"a clip lasts at most {minutes:g} minutes and has at most {limits.max_frames} frames")


def _decode(stream: VideoStream, packet: "av.Packet[VideoStream]") -> list[VideoFrame]:
    """The frames of a packet; none of a damaged one."""
    try:
        return [frame for frame in stream.decode(packet) if isinstance(frame, VideoFrame)]
    except av.error.InvalidDataError:
        return []


def _start_s(stream: VideoStream) -> float:
    if stream.start_time is None or stream.time_base is None:
        return 0.0
    return float(stream.start_time * stream.time_base)


def reduced_grey(raw: VideoFrame) -> NDArray[np.uint8]:
    """(h, w) uint8, with a width of about GREY_WIDTH."""
    factor = max(1, round(raw.width / GREY_WIDTH))
    width, height = max(16, raw.width // factor), max(16, raw.height // factor)
    return np.asarray(raw.reformat(width, height, "gray").to_ndarray(), np.uint8)


def upright_image(raw: VideoFrame) -> Image.Image:
    """RGB, turned as the container says."""
    image: Image.Image = raw.to_image()  # type: ignore[no-untyped-call]
    return image.rotate(raw.rotation, expand=True) if raw.rotation else image
