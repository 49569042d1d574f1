"""Clips of every supported container and codec are decoded; everything else is rejected with a reason."""

from contextlib import suppress
from pathlib import Path

import pytest

from tests.fakes.clips import SIZE, write_clip
from tests.unit.video.conftest import PHOTOS
from vigil.errors import Rejected
from vigil.video.decoder import ClipLimits, NotAClip, open_clip

LIMITS = ClipLimits()


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        ("mp4", "h264"),
        ("mov", "mjpeg"),
        ("mkv", "hevc"),
        ("avi", "mpeg4"),
        ("webm", "vp9"),
    ],
)
def test_the_frames_of_a_clip_have_their_numbers_times_and_sizes(tmp_path: Path, suffix: str, codec: str):
    file = write_clip(tmp_path / f"film.{suffix}", [(PHOTOS / "biden.jpg", 1.5)], codec=codec)

    with open_clip(file, LIMITS) as clip:
        frames = [(one.number, one.time_s, one.to_image().size) for one in clip.frames(0)]
        info = clip.info

    assert [number for number, _, _ in frames] == list(range(12))
    assert [time for _, time, _ in frames] == pytest.approx([number / 8 for number in range(12)], abs=0.002)
    assert {size for _, _, size in frames} == {SIZE}
    assert (info.codec, info.width_px, info.height_px) == (codec, *SIZE)
    assert info.duration_s == pytest.approx(1.5, abs=0.2)


def test_decoding_can_begin_in_the_middle(tmp_path: Path):
    file = write_clip(tmp_path / "film.mp4", [(None, 4.0)])

    with open_clip(file, LIMITS) as clip:
        numbers = [one.number for one in clip.frames(3.0)]

    assert numbers[0] <= 24
    assert numbers[-8:] == list(range(24, 32))


def reason(file: Path, limits: ClipLimits = LIMITS) -> str:
    """Why a clip is rejected when it is opened or decoded."""
    with pytest.raises(Rejected) as rejected, open_clip(file, limits) as clip:
        list(clip.frames(0))
    return rejected.value.reason


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (ClipLimits(max_duration_s=1.0), "clip-too-long"),
        (ClipLimits(max_frames=5), "clip-too-long"),
        (ClipLimits(max_pixels=1000), "too-many-pixels"),
    ],
)
def test_a_clip_above_a_limit_is_rejected(tmp_path: Path, limits: ClipLimits, expected: str):
    assert reason(write_clip(tmp_path / "film.mp4", [(None, 2.0)]), limits) == expected


def test_a_codec_that_is_not_supported_is_named(tmp_path: Path):
    file = write_clip(tmp_path / "film.avi", [(None, 0.5)], codec="ffv1")

    assert reason(file) == "unsupported-codec"


PLAYLIST = b"#EXTM3U\n#EXTINF:2,\nfilm.mp4\n#EXT-X-ENDLIST\n"
CONCAT = b"ffconcat version 1.0\nfile film.mp4\n"


@pytest.mark.parametrize(
    "data",
    [
        b"\0",
        b"not a film" * 50,
        b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + b"\0" * 64,
        b"\x1a\x45\xdf\xa3" + b"\xff" * 200,
        b"RIFF\0\0\0\0AVI " + b"\0" * 100,
        PLAYLIST,
        CONCAT,
        (PHOTOS / "biden.jpg").read_bytes(),
    ],
    ids=["zero", "text", "mp4", "mkv", "avi", "playlist", "concat", "photo"],
)
def test_a_file_that_is_no_clip_is_rejected_and_makes_the_decoder_read_no_other_file(
    tmp_path: Path, data: bytes
):
    write_clip(tmp_path / "film.mp4", [(None, 0.5)])
    file = tmp_path / "other.clip"
    file.write_bytes(data)

    assert reason(file) == "not-a-clip"


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi"])
def test_a_truncated_clip_is_rejected_or_gives_its_first_frames(tmp_path: Path, suffix: str, share: float):
    codec = "mpeg4" if suffix == "avi" else "h264"
    whole = write_clip(tmp_path / f"whole.{suffix}", [(PHOTOS / "biden.jpg", 1.0)], codec=codec).read_bytes()
    file = tmp_path / f"cut.{suffix}"
    file.write_bytes(whole[: int(len(whole) * share)])

    numbers: list[int] = []
    with suppress(NotAClip), open_clip(file, LIMITS) as clip:
        numbers = [one.number for one in clip.frames(0)]

    assert numbers == sorted(set(numbers))
