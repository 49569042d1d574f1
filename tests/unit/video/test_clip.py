"""A clip becomes the drops of its frames, each once, also if its workers are killed."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.fakes.clips import write_clip
from tests.fakes.memory import NOON, MemoryLedger
from tests.unit.video.conftest import PHOTOS
from vigil.alerts.alert import create_alert
from vigil.alerts.rules import Rule
from vigil.drops.messages import Drop, InvalidMessage, S3Object, parse_frame_key
from vigil.drops.process import DropInProgress, Invocation
from vigil.errors import EmptyFile, MalformedMessage, ObjectTooLarge, Transient
from vigil.video.clip import ClipPorts, ClipProgress, ClipResult, process_clip
from vigil.video.decoder import ClipLimits

CLIP = Drop("c" * 32, "clips", "door", S3Object("photos", "live/clips/door/film.mp4", "v1"), NOON)


class Killed(BaseException):
    """The worker process ends."""


@dataclass
class World:
    """The ports of clips in memory; a worker is killed before or after it stores one of `kills`."""

    data: bytes
    folder: Path
    frames: dict[str, bytes] = field(default_factory=dict)
    puts: list[str] = field(default_factory=list)
    progress: dict[str, ClipProgress] = field(default_factory=dict)
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    now: datetime = NOON
    invocations: int = 0
    before_put: Callable[[str], None] = lambda _: None
    after_put: Callable[[str], None] = lambda _: None
    has_time: Callable[[], bool] = lambda: True
    limits: ClipLimits = field(default_factory=ClipLimits)

    def with_version(self, item: S3Object) -> S3Object:
        return item

    def download(self, item: S3Object, file: Path, max_bytes: int) -> None:
        if len(self.data) > max_bytes:
            raise ObjectTooLarge("too large")
        if not self.data:
            raise EmptyFile("empty")
        file.write_bytes(self.data)

    def put_frame(self, key: str, data: bytes) -> bool:
        self.before_put(key)
        self.puts.append(key)
        is_new = self.frames.setdefault(key, data) is data
        self.after_put(key)
        return is_new

    def load(self, clip: str) -> ClipProgress:
        return self.progress.get(clip, ClipProgress())

    def save(self, clip: str, progress: ClipProgress, now: datetime) -> None:
        self.progress[clip] = progress

    def process(self, drop: Drop | InvalidMessage = CLIP) -> ClipResult:
        """One delivery, after the lease of the one before has ended."""
        self.now += timedelta(minutes=2)
        self.invocations += 1
        ports = ClipPorts(
            self.ledger, self, self, self, lambda: self.now, self.has_time, "faces", self.folder, self.limits
        )
        return process_clip(
            drop,
            ports,
            Invocation(f"i-{self.invocations}", self.now + timedelta(minutes=1), timedelta(minutes=1)),
        )

    def times_s(self) -> list[float]:
        """The times of the stored frames."""
        found = [parse_frame_key(key) for key in self.frames]
        return sorted(one.time_ms / 1000 for one in found if one is not None)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Two people who come and go."""
    segments = [
        (None, 1.0),
        (PHOTOS / "obama.jpg", 2.0),
        (None, 1.0),
        (PHOTOS / "biden.jpg", 2.0),
        (None, 1.0),
    ]
    return write_clip(tmp_path_factory.mktemp("film") / "film.mp4", segments).read_bytes()


@pytest.fixture
def world(film: bytes, tmp_path: Path) -> World:
    return World(film, tmp_path)


def test_the_frames_of_a_clip_become_objects_that_name_clip_number_and_time(world: World):
    assert world.process() == ClipResult("done", stored=len(world.frames))

    assert all(key.startswith(f"live/faces/door/clip/{CLIP.id}/00000") for key in world.frames)
    taken = [parse_frame_key(key) for key in world.frames]
    assert all(one and one.clip == CLIP.id and one.number == round(one.time_ms * 8 / 1000) for one in taken)
    times = world.times_s()
    assert [sum(begin <= time < begin + 2 for time in times) > 0 for begin in (1, 4)] == [True, True]
    assert len(times) <= 9
    result = world.ledger.records[CLIP.id].result
    assert result is not None
    assert result.prediction.notes["frames"] == len(times)
    assert list(world.folder.iterdir()) == []


def test_a_clip_whose_workers_are_killed_gives_the_same_frames_each_once(world: World, film: bytes):
    whole = World(film, world.folder)
    whole.process()
    expected = sorted(whole.frames)
    killed_before, killed_after = expected[2], expected[4]

    def kill(at: str) -> Callable[[str], None]:
        def check(key: str) -> None:
            if key == at:
                raise Killed

        return check

    world.before_put = kill(killed_before)
    with pytest.raises(Killed):
        world.process()
    world.before_put, world.after_put = lambda _: None, kill(killed_after)
    with pytest.raises(Killed):
        world.process()
    world.after_put = lambda _: None

    assert world.process().outcome == "done"
    assert world.frames == whole.frames
    assert len(world.puts) == len(expected) + 1, "only the frame whose progress was lost is stored again"


def test_a_clip_that_lasts_longer_than_an_invocation_is_continued(world: World, film: bytes):
    whole = World(film, world.folder)
    whole.process()
    world.has_time = lambda: False

    outcomes = [world.process().outcome]
    while outcomes[-1] == "unfinished":
        outcomes.append(world.process().outcome)

    assert len(outcomes) > 4
    assert outcomes[-1] == "done"
    assert world.frames == whole.frames


def test_a_clip_delivered_twice_is_processed_once(world: World):
    world.process()
    puts = len(world.puts)

    assert world.process().outcome == "duplicate"
    assert len(world.puts) == puts


def test_a_clip_in_progress_is_not_taken_over(world: World):
    def meet(_: str) -> None:
        world.before_put = lambda _: None
        world.now -= timedelta(minutes=2)
        with pytest.raises(DropInProgress):
            world.process()

    world.before_put = meet

    assert world.process().outcome == "done"


def test_a_clip_that_ends_its_workers_is_quarantined(world: World):
    def kill(_: str) -> None:
        raise Killed

    world.before_put = kill
    for _ in range(3):
        with pytest.raises(Killed):
            world.process()

    assert world.process() == ClipResult("quarantined", "no-progress")
    assert world.ledger.records[CLIP.id].state == "quarantined"


def test_a_bucket_that_fails_for_long_quarantines_no_clip(world: World):
    def fail(_: str) -> None:
        raise Transient("SlowDown", dependency="photos", operation="store frame")

    world.before_put = fail
    for _ in range(8):
        with pytest.raises(Transient):
            world.process()
    assert world.ledger.records[CLIP.id].dependency == "photos"
    world.before_put = lambda _: None

    assert world.process().outcome == "done"


@pytest.mark.parametrize(
    ("data", "limits", "reason"),
    [
        (b"", ClipLimits(), "empty-file"),
        (b"no film", ClipLimits(), "not-a-clip"),
        (b"12345", ClipLimits(max_bytes=4), "object-too-large"),
    ],
)
def test_a_clip_that_cannot_be_processed_is_rejected_with_its_reason(
    world: World, data: bytes, limits: ClipLimits, reason: str
):
    rejected = replace(world, data=data, limits=limits)

    assert rejected.process() == ClipResult("rejected", reason)
    assert rejected.ledger.records[CLIP.id].reason == reason


def test_a_message_that_names_no_clip_is_rejected(world: World):
    broken = InvalidMessage("d" * 32, None, NOON, MalformedMessage("not JSON"))
    photo = replace(CLIP, model="faces")

    assert world.process(broken).reason == "malformed-message"
    assert world.process(photo).reason == "malformed-message"


def frame_drop(clip: str, time_ms: int, at: datetime) -> Drop:
    key = f"live/faces/door/clip/{clip}/{time_ms // 100:07}-{time_ms:09}.jpg"
    return Drop("f" * 32, "faces", "door", S3Object("photos", key), at)


def test_all_frames_of_a_clip_raise_one_alert_about_a_person_however_long_it_is():
    rule = Rule("watch-listed", window_s=1)
    first, last = frame_drop(CLIP.id, 0, NOON), frame_drop(CLIP.id, 3_000_000, NOON + timedelta(hours=1))
    other = frame_drop("d" * 32, 0, NOON)

    alerts = [create_alert(rule, drop, 0, subject="p-1", status="known") for drop in (first, last, other)]

    assert alerts[0].id == alerts[1].id != alerts[2].id


def test_a_key_that_only_looks_like_that_of_a_frame_is_a_photo():
    keys = [
        "live/faces/door/clip/film/1-2.jpg",
        "live/faces/door/clip/" + "g" * 32 + "/0000001-000000001.jpg",
    ]

    assert [parse_frame_key(key) for key in keys] == [None, None]
    assert Drop("a" * 32, "faces", "door", S3Object("b", keys[0]), datetime.now(UTC)).clip_frame is None
