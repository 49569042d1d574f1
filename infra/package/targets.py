"""The clouds that can be packaged for, and what differs between them."""

import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass

from infra.package.errors import PackagingError

_GLIBC_MINOR_VERSIONS = range(17, 35)
"""manylinux_2_17 (2014) up to the glibc 2.34 of Lambda's Amazon Linux 2023; pip takes tags literally."""


@dataclass(frozen=True, slots=True)
class Target:
    """A Python and a platform to gather wheels for.

    python     "3.13"; Lambda's name for it is `runtime`
    platforms  wheel tags to accept, best last; none: whatever this interpreter takes
    compiler   an interpreter of that version on this machine, or none: then no bytecode ships
    """

    name: str
    python: str
    platforms: tuple[str, ...]
    compiler: str | None

    @property
    def runtime(self) -> str:
        return f"python{self.python}"

    @property
    def key(self) -> str:
        """What a folder of wheels made for this target depends on, beside the pins."""
        compiled = "compiled" if self.compiler else "sources alone"
        return " ".join([sys.platform, platform.machine(), self.python, compiled, *self.platforms])


def find_target(name: str) -> Target:
    """Look up a target by the name that the command line knows it by."""
    if name == "local":
        return Target(name, f"{sys.version_info[0]}.{sys.version_info[1]}", (), sys.executable)
    if name == "aws":
        tags = ("manylinux2014_x86_64", *(f"manylinux_2_{minor}_x86_64" for minor in _GLIBC_MINOR_VERSIONS))
        return Target(name, "3.13", tags, _find_interpreter("3.13"))
    raise PackagingError(f"There is no target {name!r}: it is local or aws.")


def _find_interpreter(python: str) -> str | None:
    """Find a CPython of this version; its bytecode spares every cold start the compiling."""
    path = shutil.which(f"python{python}")
    if path is None:
        return None
    completed = subprocess.run([path, "-c", "pass"], check=False, capture_output=True)
    return path if completed.returncode == 0 else None
