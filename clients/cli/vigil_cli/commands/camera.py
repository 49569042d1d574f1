"""`vigil camera` and `vigil watch-folder`, which run near cameras, and `vigil ops cameras`."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from vigil_cli.command_line import Argument, Option
from vigil_cli.console import coloured, err, format_time, new_table
from vigil_cli.session import Session
from vigil_cli.signals import stopped_by_signal

if TYPE_CHECKING:
    from vigil_cli.edge.disk_queue import DiskQueue
    from vigil_cli.edge.reports import CameraReporter
    from vigil_cli.edge.uploads import Uploader

POLL_INTERVAL_S = 1.0

SourceName = Annotated[str, Option(help="The source of the uploads, such as door-3.", flags=("--source",))]
ModelName = Annotated[str, Option(help="The model that processes the photos.")]
TokenFile = Annotated[
    Path | None,
    Option(help="File with the token, read at each call, so that it can be renewed; default VIGIL_TOKEN."),
]


def camera(
    session: Session,
    url: Annotated[str, Argument(help="rtsp://..., http://... (MJPEG), /dev/video0, or a video file.")],
    source: SourceName = "camera",
    model: ModelName = "faces",
    queue: Annotated[Path | None, Option(help="Folder of waiting frames.", default="vigil-SOURCE")] = None,
    queue_mb: Annotated[int, Option(help="Size of the queue; the oldest frames are discarded.", min=1)] = 500,
    token_file: TokenFile = None,
) -> None:
    """Upload the best frame of each second in which something moves, until Ctrl-C or the end of a file.

    Frames wait on disk while the network is away. The token needs the role camera and this source alone.

    Example: ./vigil camera rtsp://10.0.0.7/stream --source door-3
    """
    from vigil_cli.edge.capture import without_password
    from vigil_cli.edge.disk_queue import DiskQueue
    from vigil_cli.edge.reports import CameraReporter
    from vigil_cli.edge.retry import Backoff
    from vigil_cli.edge.uploads import Uploader

    waiting = DiskQueue(queue or Path(f"vigil-{source}"), queue_mb * 1_000_000)
    stopped, warn = stopped_by_signal(), _warner(source)
    with session.api("operator", token_file) as api:
        reporter, refuse = CameraReporter(api, source, waiting.__len__), _refusal(waiting.remove, warn)
        uploader = Uploader(api, source, model, Backoff(stopped.wait), waiting.remove, refuse, warn)
        warn(f"reading {without_password(url)}")
        with _uploading(waiting, uploader, reporter, stopped):
            for data in _best_pictures(url, reporter, stopped, warn):
                waiting.put(data)
        reporter.report("stopped")
    warn(f"{uploader.uploaded} frames uploaded, {len(waiting)} wait, {waiting.discarded} were discarded")


def _best_pictures(
    url: str, reporter: "CameraReporter", stopped: threading.Event, warn: Callable[[str], None]
) -> Iterator[bytes]:
    """The best frame of each second with motion, as a JPEG file."""
    from vigil.video.frames import encode_frame
    from vigil.video.motion import MotionPolicy, best_frames
    from vigil_cli.edge.capture import capture
    from vigil_cli.edge.retry import Backoff

    frames = capture(url, on_problem=warn, is_stopped=stopped.is_set, backoff=Backoff(stopped.wait))
    for frame in best_frames(reporter.observe(frames), MotionPolicy()):
        yield encode_frame(frame)


@contextmanager
def _uploading(
    waiting: "DiskQueue", uploader: "Uploader", reporter: "CameraReporter", stopped: threading.Event
) -> Iterator[None]:
    """Upload what waits in another thread; at the end of a file, what waits then is uploaded first."""
    ended = threading.Event()

    def is_done() -> bool:
        return stopped.is_set() or (ended.is_set() and not len(waiting))

    worker = threading.Thread(
        target=_upload_until, args=(is_done, waiting.files, uploader, reporter, stopped)
    )
    worker.start()
    try:
        yield
    finally:
        ended.set()
        worker.join()


def watch_folder(
    session: Session,
    folder: Annotated[Path, Argument(help="Folder that a camera writes into.", exists=True, file_okay=False)],
    source: SourceName = "camera",
    model: ModelName = "faces",
    delete: Annotated[bool, Option(help="Delete uploaded files instead of moving them.")] = False,
    token_file: TokenFile = None,
) -> None:
    """Upload the photos and clips that a camera writes into a folder, such as by FTP, until Ctrl-C.

    A file that is refused is moved to refused/. The token needs the role camera and this source alone.

    Example: ./vigil watch-folder /srv/ftp/door-3 --source door-3
    """
    from vigil_cli.edge.folders import WatchedFolder
    from vigil_cli.edge.reports import CameraReporter
    from vigil_cli.edge.retry import Backoff
    from vigil_cli.edge.uploads import Uploader

    watched, stopped, warn = WatchedFolder(folder, deletes=delete), stopped_by_signal(), _warner(source)
    with session.api("operator", token_file) as api:
        reporter = CameraReporter(api, source, lambda: 0)
        uploader = Uploader(
            api, source, model, Backoff(stopped.wait), watched.finish, _refusal(watched.refuse, warn), warn
        )
        warn(f"watching {folder}")
        _upload_until(stopped.is_set, watched.complete_files, uploader, reporter, stopped)
        reporter.report("stopped")
    warn(f"{uploader.uploaded} files uploaded")


def list_cameras(session: Session) -> None:
    """List the cameras that report themselves, and whether they are silent.

    Example: ./vigil ops cameras
    """
    with session.api("viewer") as api:
        rows = api.list_cameras()
    table = new_table("Cameras", "source", "state", "reported", "last frame", ">queued")
    for row in rows:
        frame_at = format_time(row["frame_at"]) if row.get("frame_at") else ""
        state = coloured(row["state"], "alarm" if row["state"] == "silent" else row["state"])
        table.add_row(row["source"], state, format_time(row["reported_at"]), frame_at, str(row["queued"]))
    session.show(rows, lambda: table if rows else "no camera reports itself")


def _upload_until(
    is_done: Callable[[], bool],
    list_files: Callable[[], Iterable[Path]],
    uploader: "Uploader",
    reporter: "CameraReporter",
    stopped: threading.Event,
) -> None:
    """What a signal leaves stays on disk for the next start."""
    while not is_done():
        uploader.upload_all(list_files())
        reporter.report_if_due()
        stopped.wait(POLL_INTERVAL_S)


def _warner(source: str) -> Callable[[str], None]:
    return lambda message: err.print(f"{source}: {message}", markup=False)


def _refusal(dispose: Callable[[Path], None], warn: Callable[[str], None]) -> Callable[[Path, str], None]:
    def refuse(file: Path, reason: str) -> None:
        warn(f"{file.name} is refused: {reason}")
        dispose(file)

    return refuse
