"""`python -m models.build.sample_photos`: fetch six group photographs into build/photos."""

import hashlib
import sys
from pathlib import Path

from rich.console import Console

from models.build.download import DownloadProgress, NpmPackage, fetch_tarball, read_member
from models.build.files import CACHE, PHOTOS, BuildFailure, write_file

PHOTOS_PACKAGE = NpmPackage(
    name="@vladmandic/face-api",
    version="1.7.15",
    integrity="sha512-WDMmK3CfNLo8jylWqMoQgf4nIst3M0fzx1dnac96wv/dvMTN4DxC/Pq1DGtduDk1lktCamQ3MIDXFnvrdHTXDw==",
)

PHOTO_SHA256 = {
    "sample1.jpg": "8ecae4b267b2d3169e06e00c7dee97097aa2a94635d45216f7732a5f4943cb51",
    "sample2.jpg": "7d2b60ae6f13bf30f422e04df87451081a02c83de469056f25afb44b7000c691",
    "sample3.jpg": "8eb081c9efb14370fa94d9feab9e5fbeafd19a627491853a80c2bf67f7ffa936",
    "sample4.jpg": "729efa5923061d40eb4ed5f267a18cc7b8ba6f852bb2757b16d8b7e4937476fc",
    "sample5.jpg": "6d45095ebb182d8f975c0790e0e4eefd86fbb40609cf4b271776d92e12662938",
    "sample6.jpg": "9baad80f9d5e306fb9b8c0913d44445f1e95848df317530efb03d0934c57ba87",
}
"""sha256 of each photograph. The package's licence is MIT; the people are unknown."""


def fetch_photos(
    target: Path = PHOTOS, cache: Path = CACHE, on_progress: DownloadProgress = lambda _: None
) -> list[Path]:
    """The paths of the photographs, fetched if one is missing or has another hash. Raises BuildFailure."""
    paths = [target / name for name in PHOTO_SHA256]
    if all(
        path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == PHOTO_SHA256[path.name]
        for path in paths
    ):
        return paths
    archive = fetch_tarball(PHOTOS_PACKAGE, cache, on_progress)
    for path in paths:
        write_file(path, read_member(archive, f"package/demo/{path.name}", PHOTO_SHA256[path.name]))
    return paths


def main() -> int:
    """Exit status 0 if all photographs are there, else 1."""
    console = Console()
    try:
        with console.status("group photographs") as status:
            paths = fetch_photos(on_progress=status.update)
    except BuildFailure as failure:
        console.print(f"[red]photos:[/] {failure}", soft_wrap=True)
        return 1
    console.print(f"[green]photos:[/] {len(paths)} in {PHOTOS}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
