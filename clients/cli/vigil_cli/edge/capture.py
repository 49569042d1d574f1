"""Frames of a camera: RTSP, HTTP MJPEG, USB (v4l2), or a file that is played in its own time."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
from av.container import InputContainer
from av.video.frame import VideoFrame

from vigil.video.decoder import reduced_grey, upright_image
from vigil.video.frames import Frame
from vigil_cli.edge.retry import Backoff

OPEN_TIMEOUT_S, READ_TIMEOUT_S = 10.0, 10.0


class CameraEnded(Exception):
    """A file has been played to its end; a camera has no end."""


def is_file(url: str) -> bool:
    """Whether this camera is a file, which ends."""
    return "://" not in url and not url.startswith("/dev/")


def without_password(url: str) -> str:
    """The address for messages."""
    return re.sub(r"//[^/]*@", "//", url)


def capture(
    url: str, *, on_problem: Callable[[str], None], is_stopped: Callable[[], bool], backoff: Backoff
) -> Iterator[Frame]:
    """The frames of a camera, opened again after growing pauses whenever it fails; those of a file once."""
    while not is_stopped():
        try:
            for frame in _read_frames(url):
                backoff.reset()
                yield frame
                if is_stopped():
                    return
            if is_file(url):
                return
            on_problem("the camera sends no more frames")
        except (av.FFmpegError, OSError) as error:
            if is_file(url):
                raise
            on_problem(f"the camera does not answer: {type(error).__name__}")
        backoff.wait()


def _read_frames(url: str) -> Iterator[Frame]:
    with _open(url) as container:
        began_s, first_s = time.monotonic(), None
        for number, raw in enumerate(container.decode(video=0)):
            if is_file(url) and raw.time is not None:
                first_s = raw.time if first_s is None else first_s
                time.sleep(max(0.0, began_s + raw.time - first_s - time.monotonic()))
            yield to_frame(raw, number)


def to_frame(raw: VideoFrame, number: int) -> Frame:
    """A frame with the time of this machine, because cameras' own clocks jump when they are opened again."""
    return Frame(number, time.monotonic(), reduced_grey(raw), lambda: upright_image(raw))


def _open(url: str) -> InputContainer:
    if url.startswith("/dev/"):
        return av.open(url, format="v4l2", timeout=(OPEN_TIMEOUT_S, READ_TIMEOUT_S))
    options = {"rtsp_transport": "tcp"} if url.startswith("rtsp") else {}
    address = str(Path(url).expanduser()) if is_file(url) else url
    return av.open(address, options=options, timeout=(OPEN_TIMEOUT_S, READ_TIMEOUT_S))
