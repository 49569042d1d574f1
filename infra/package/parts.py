"""Fetches third-party packages for a target, and leaves out what a running function does not need."""

import re
import shutil
import sys
from pathlib import Path

from infra.package.bytecode import compile_folder
from infra.package.contents import Part
from infra.package.descriptions import thin
from infra.package.errors import PackagingError
from infra.package.fresh import files
from infra.package.running import run
from infra.package.targets import Target


def pins(part: Part, constraints: Path) -> list[str]:
    """The part's packages as `name==version`, in the versions that everything else is tested with."""
    lines = [line.strip() for line in constraints.read_text().splitlines()]
    pinned = {_canonical(line.split("==")[0]): line for line in lines if "==" in line}
    missing = [name for name in part.packages if _canonical(name) not in pinned]
    if missing:
        raise PackagingError(f"{constraints.name} pins no version of {', '.join(missing)}.")
    return [pinned[_canonical(name)] for name in part.packages]


def gather(part: Part, target: Target, requirements: list[str], place: Path) -> None:
    """Make `place` the site-packages of a part: fetched, thinned out, compiled where that is possible."""
    fetched = place.with_name(f"{place.name}-fetched")
    _fetch(target, requirements, fetched)
    for path in files(fetched):
        name = path.relative_to(fetched).as_posix()
        if part.ships(name):
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            path.rename(place / name)
    shutil.rmtree(fetched)
    if (place / "botocore").is_dir():
        thin(place / "botocore" / "data")
    compile_folder(place, target, part.mounted_at)


def _fetch(target: Target, requirements: list[str], folder: Path) -> None:
    """Install wheels, never sources: what is fetched for another machine cannot be built here."""
    install = [sys.executable, "-m", "pip", "install", "-qq", "--no-deps", "--no-compile"]
    command = [*install, "--target", str(folder)]
    if target.platforms:
        tags = [word for tag in target.platforms for word in ("--platform", tag)]
        command += ["--only-binary=:all:", "--implementation", "cp", "--python-version", target.python, *tags]
    run([*command, *requirements], failure=f"The packages for {target.name} could not be fetched:")


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()
