"""Small clips of photographs, made with PyAV."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream
from PIL import Image

SIZE = (480, 360)
Segment = tuple[Path | None, float]
"""A photograph, or None for an empty room, and how many seconds it is shown."""


def write_clip(
    file: Path, segments: Sequence[Segment], *, rate: int = 8, codec: str = "h264", brightness: float = 1.0
) -> Path:
    """Write a clip in which photographs are shown one after the other, each moving a little."""
    with av.open(str(file), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for number, picture in enumerate(_pictures(segments, rate)):
            pixels = np.clip(np.asarray(picture, np.float32) * brightness, 0, 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file


def _pictures(segments: Sequence[Segment], rate: int) -> Iterator[Image.Image]:
    room = Image.linear_gradient("L").resize(SIZE).convert("RGB")
    for photo, seconds in segments:
        shown = _fitted(photo) if photo else None
        for number in range(round(seconds * rate)):
            picture = room.copy()
            if shown is not None:
                picture.paste(shown, ((SIZE[0] - shown.width) // 2 + number % 4, 0))
            yield picture


def _fitted(photo: Path) -> Image.Image:
    with Image.open(photo) as opened:
        image = opened.convert("RGB")
    return image.resize((image.width * SIZE[1] // image.height, SIZE[1]))
