"""Loading and changing a large gallery: `python -m tests.benchmark.gallery_storage PEOPLE PHOTOS`."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.benchmark.faces import benchmark_environment
from vigil.faces.gallery import GallerySet
from vigil.faces.segments import MAX_SEGMENT_TEMPLATES, EnrolledPerson, GallerySegment, serialize_segment
from vigil.people.galleries import GalleryRepository, store_changed_segments
from vigil.people.person import GalleryPointer

SPACE = "bench"
DIMENSIONS = 512
SEARCHES = 20


class FolderStore:
    """Objects in a folder in place of S3, and the pointer to all of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get_object(self, key: str) -> bytes:
        return (self._folder / key).read_bytes()

    def save_gallery_segment(self, gallery: str, version: int, data: bytes) -> str:
        key = f"{version:08}-{len(list(self._folder.iterdir()))}"
        (self._folder / key).write_bytes(data)
        return key

    def gallery_names(self) -> list[str]:
        return ["default"]

    def gallery_pointer(self, name: str) -> GalleryPointer:
        keys = sorted(path.name for path in self._folder.iterdir())
        return GalleryPointer(1, {SPACE: tuple(keys)})


def write_gallery(folder: Path, people: int, photos: int) -> None:
    """Store segments of random templates, as full as they may be."""
    store, rng = FolderStore(folder), np.random.default_rng(0)
    per_segment = MAX_SEGMENT_TEMPLATES // photos
    for start in range(0, people, per_segment):
        ids = np.array([f"p-{n:012x}".encode() for n in range(start, min(start + per_segment, people))])
        templates = _unit_rows(rng, len(ids) * photos).astype(np.float16)
        segment = GallerySegment(ids, np.full(len(ids), photos, np.int32), templates, {})
        store.save_gallery_segment("default", 1, serialize_segment(segment, SPACE))


def measure_gallery(folder: Path) -> dict[str, Any]:
    """Seconds to load, to search first and to enrol one more; milliseconds of a search; memory in MB."""
    store, rng = FolderStore(folder), np.random.default_rng(1)
    repository = GalleryRepository(store, store)
    base_mb = _peak_mb()
    galleries, load_s = _timed(lambda: repository.read("default"))
    gallery = galleries.by_space[SPACE]
    probes = _unit_rows(rng, 4)
    _, first_search_s = _timed(lambda: gallery.identify(probes))
    searches_s = [_timed(lambda: gallery.identify(probes))[1] for _ in range(SEARCHES)]

    def enrol() -> GallerySet:
        person = EnrolledPerson("p-new", probes[:1])
        updated = repository.read("default").apply(lambda one: one.with_person(person))
        store_changed_segments(store, updated)
        return updated

    updated, enrol_s = _timed(enrol)
    return {
        "people": len(updated.by_space[SPACE]),
        "segments": len(gallery.segments),
        "load_s": round(load_s, 2),
        "first_search_s": round(first_search_s, 2),
        "search_4_probes_ms": round(1000 * float(np.median(searches_s)), 2),
        "enrol_one_more_s": round(enrol_s, 3),
        "process_mb": round(base_mb),
        "peak_mb": round(_peak_mb()),
        "resident_mb": round(_resident_mb()),
    }


def _unit_rows(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    rows = rng.standard_normal((count, DIMENSIONS), np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def _timed(action: Callable[[], Any]) -> tuple[Any, float]:
    started_s = time.perf_counter()
    result = action()
    return result, time.perf_counter() - started_s


def _peak_mb() -> float:
    """The most memory that this program has used; getrusage counts that of the parent process too."""
    line = next(one for one in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in one)
    return int(line.split()[1]) / 1024


def _resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


def main(arguments: list[str]) -> None:
    """Write the gallery in this process and measure it in another one, whose memory it does not affect."""
    if arguments[0] == "measure":
        sys.stdout.write(json.dumps(measure_gallery(Path(arguments[1]))) + "\n")
        return
    with TemporaryDirectory() as folder:
        write_gallery(Path(folder), *map(int, arguments))
        command = [sys.executable, "-m", "tests.benchmark.gallery_storage", "measure", folder]
        subprocess.run(command, env=os.environ | benchmark_environment(), check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
