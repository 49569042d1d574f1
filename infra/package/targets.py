"""The targets that can be packaged for, local and aws, and what differs between them."""

import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass

_GLIBC_MINOR_VERSIONS = range(17, 35)
"""manylinux_2_17 (2014) up to the glibc 2.34 of Lambda's Amazon Linux 2023; pip takes tags literally."""


class PackagingError(Exception):
    """The package could not be built; the result of the last build is unchanged."""


@dataclass(frozen=True, slots=True)
class Target:
    """The Python version and platform to collect wheels for.

    python     for instance "3.13"; Lambda's name for it is `runtime`
    platforms  accepted wheel tags, best last; empty for the tags of this interpreter
    compiler   an interpreter of that version on this machine; without one no bytecode ships
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
        """Everything but the pinned versions that a folder of wheels for this target depends on."""
        compiled = "compiled" if self.compiler else "sources only"
        return " ".join([sys.platform, platform.machine(), self.python, compiled, *self.platforms])


def find_target(name: str) -> Target:
    """Return the target of this name. Raises PackagingError."""
    if name == "local":
        return Target(name, f"{sys.version_info[0]}.{sys.version_info[1]}", (), sys.executable)
    if name == "aws":
        tags = ("manylinux2014_x86_64", *(f"manylinux_2_{minor}_x86_64" for minor in _GLIBC_MINOR_VERSIONS))
        return Target(name, "3.13", tags, _find_interpreter("3.13"))
    raise PackagingError(f"There is no target {name!r}: choose local or aws.")


def _find_interpreter(python: str) -> str | None:
    """Find an interpreter of this version, which compiles the code so that cold starts need not."""
    path = shutil.which(f"python{python}")
    if path is None:
        return None
    completed = subprocess.run([path, "-c", "pass"], check=False, capture_output=True)
    return path if completed.returncode == 0 else None
