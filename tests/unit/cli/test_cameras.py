"""Cameras at the edge: nothing that was captured is lost while the network is away."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.clips import write_clip
from tests.fakes.vigil_api import FakeApi, run
from vigil_cli.edge import capture as capture_module
from vigil_cli.edge.capture import capture, without_password
from vigil_cli.edge.disk_queue import DiskQueue
from vigil_cli.edge.folders import WatchedFolder
from vigil_cli.edge.retry import Backoff
from vigil_cli.edge.uploads import Uploader
from vigil_client import ApiUnreachable, Forbidden, UnprocessableContent

PHOTOS = Path(__file__).parents[2] / "photos"


class Network:
    """An API that does not answer between two times; `now_s` passes while an uploader waits."""

    def __init__(self, away: tuple[float, float]) -> None:
        self.now_s, self.away, self.arrived, self.refusal = 0.0, away, list[bytes](), None

    def upload_photo(self, photo: Path, **_: Any) -> str:
        if self.away[0] <= self.now_s < self.away[1]:
            raise ApiUnreachable("no route to host")
        if self.refusal is not None:
            raise self.refusal
        self.arrived.append(photo.read_bytes())
        return "upload-id"


def make_uploader(network: Network, queue: DiskQueue, waits: list[float]) -> Uploader:
    return Uploader(
        network,  # type: ignore[arg-type]
        "door-3",
        "faces",
        Backoff(waits.append),
        queue.remove,
        lambda file, _: queue.remove(file),
        lambda _: None,
    )


def test_a_camera_whose_network_is_away_for_a_minute_loses_no_frame(tmp_path: Path):
    network, queue, waits = Network((10, 70)), DiskQueue(tmp_path, 1_000_000), list[float]()
    uploader = make_uploader(network, queue, waits)
    retry_at_s = 0.0

    for second in range(180):
        network.now_s = second
        if second < 100:
            queue.put(b"frame %d" % second)
        if second >= retry_at_s:
            uploader.upload_all(queue.files())
            retry_at_s = second + sum(waits)
            waits.clear()

    assert network.arrived == [b"frame %d" % second for second in range(100)]
    assert len(queue) == queue.discarded == 0


def test_frames_that_wait_survive_the_end_of_the_process_and_half_written_ones_are_deleted(tmp_path: Path):
    first = DiskQueue(tmp_path, 1_000_000)
    first.put(b"one")
    first.put(b"two")
    (tmp_path / ".3.jpg.draft").write_bytes(b"hal")

    second = DiskQueue(tmp_path, 1_000_000)
    second.put(b"three")

    assert [file.read_bytes() for file in second.files()] == [b"one", b"two", b"three"]
    assert len(list(tmp_path.iterdir())) == 3


def test_a_full_queue_discards_its_oldest_frames(tmp_path: Path):
    queue = DiskQueue(tmp_path, 25)

    for number in range(5):
        queue.put(b"%010d" % number)

    assert [int(file.read_bytes()) for file in queue.files()] == [3, 4]
    assert queue.discarded == 3


def test_a_file_that_is_refused_for_good_stops_no_other_and_a_missing_permission_stops_all(
    tmp_path: Path,
):
    network, queue, waits = Network((0, 0)), DiskQueue(tmp_path, 1000), list[float]()
    queue.put(b"one")
    queue.put(b"two")
    uploader = make_uploader(network, queue, waits)

    network.refusal = Forbidden({"status": 403, "detail": "the token cannot access the source"})  # type: ignore[assignment]
    uploader.upload_all(queue.files())
    assert (len(queue), len(waits)) == (2, 1)

    network.refusal = UnprocessableContent({"status": 422, "detail": "unknown model"})  # type: ignore[assignment]
    uploader.upload_all(queue.files())
    assert (len(queue), len(waits), network.arrived) == (0, 1, [])


def test_the_pauses_between_attempts_grow_to_a_minute_and_begin_again_after_a_success():
    waits = list[float]()
    backoff = Backoff(waits.append)
    for _ in range(9):
        backoff.wait()
    backoff.reset()
    backoff.wait()

    limits = [min(2.0**number, 60) for number in (*range(9), 0)]
    assert all(limit / 2 <= wait <= limit for wait, limit in zip(waits, limits, strict=True))


def test_a_camera_that_fails_is_opened_again(monkeypatch: pytest.MonkeyPatch):
    attempts = count()

    def read(_: str) -> Iterator[str]:
        if next(attempts) % 2:
            raise ConnectionRefusedError
        yield "frame"

    monkeypatch.setattr(capture_module, "_read_frames", read)
    problems, waits = list[str](), list[float]()
    found = capture(
        "rtsp://admin:secret@cam/1",
        on_problem=problems.append,
        is_stopped=lambda: len(waits) > 5,
        backoff=Backoff(waits.append),
    )

    assert [str(one) for one in found] == ["frame"] * 3
    assert len(problems) == 6
    assert "secret" not in " ".join(problems)


def test_a_password_in_an_address_is_not_shown():
    assert without_password("rtsp://admin:se@cret@10.0.0.7/1") == "rtsp://10.0.0.7/1"
    assert without_password("/dev/video0") == "/dev/video0"


def test_a_file_as_camera_uploads_its_frames_with_motion_and_reports_itself(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    film = write_clip(tmp_path / "film.mp4", [(None, 1.5), (PHOTOS / "obama.jpg", 2.0)])
    uploads, reports, failures = list[dict[str, Any]](), list[dict[str, Any]](), count()

    def upload_photo(_: FakeApi, photo: Path, **request: Any) -> str:
        if next(failures) < 2:
            raise ApiUnreachable("away")
        uploads.append({**request, "start": photo.read_bytes()[:2]})
        return "upload-id"

    def report_camera(_: FakeApi, source: str, **report: Any) -> None:
        reports.append({"source": source, **report})

    monkeypatch.setattr(FakeApi, "upload_photo", upload_photo)
    monkeypatch.setattr(FakeApi, "report_camera", report_camera, raising=False)
    monkeypatch.setattr("vigil_cli.edge.retry.FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr("vigil_cli.commands.camera.POLL_INTERVAL_S", 0.05)

    result = run(f"camera {film} --source door-3 --queue {tmp_path / 'queue'}")

    assert result.exit_code == 0, result.output
    assert 1 <= len(uploads) <= 4
    assert all(one == {"source": "door-3", "model": "faces", "start": b"\xff\xd8"} for one in uploads)
    assert list((tmp_path / "queue").iterdir()) == []
    assert (reports[0]["state"], reports[-1]["state"]) == ("running", "stopped")


def test_files_in_a_folder_are_complete_when_they_no_longer_change(tmp_path: Path):
    now_s = [0.0]
    watched = WatchedFolder(tmp_path, deletes=False, clock=lambda: now_s[0])
    photo, film = tmp_path / "2026" / "a.jpg", tmp_path / "b.mp4"
    photo.parent.mkdir()
    photo.write_bytes(b"photo")
    film.write_bytes(b"fi")
    (tmp_path / ".hidden").write_bytes(b"no")
    (tmp_path / "empty.jpg").touch()

    assert list(watched.complete_files()) == []
    now_s[0] = 2.0
    film.write_bytes(b"film")
    assert list(watched.complete_files()) == []
    now_s[0] = 4.0
    assert list(watched.complete_files()) == [photo]
    now_s[0] = 6.0
    assert list(watched.complete_files()) == [photo, film]

    watched.finish(photo)
    watched.refuse(film)
    now_s[0] = 20.0
    assert list(watched.complete_files()) == []
    assert (tmp_path / "uploaded" / "2026" / "a.jpg").read_bytes() == b"photo"
    assert (tmp_path / "refused" / "b.mp4").read_bytes() == b"film"
