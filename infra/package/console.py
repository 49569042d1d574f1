"""Builds the console with npm: static files that the deployment serves beside the API."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from infra.package.artifacts import build_if_changed, fingerprint, run_program
from infra.package.targets import PackagingError

SOURCES_PATH = "clients/console"
SOURCES = (
    "index.html",
    "package.json",
    "package-lock.json",
    "vite.config.ts",
    "tsconfig.json",
    "src",
    "public",
)
LOCK_FILES = ("package.json", "package-lock.json")

Progress = Callable[[str], None]


def build_console(root: Path, target: Path, on_progress: Progress) -> None:
    """Build the console into a folder; without npm there is none, and the progress says why."""
    folder = root / SOURCES_PATH
    if not folder.is_dir():
        return
    sources = [folder / name for name in SOURCES]
    try:
        build_if_changed(target, fingerprint(*sources), partial(_build, sources, on_progress))
    except ConsoleUnavailable as problem:
        on_progress(f"the package has no console: {problem}")
        shutil.rmtree(target, ignore_errors=True)


class ConsoleUnavailable(Exception):
    """npm, or the packages that it fetches, cannot be had on this machine."""


def _build(sources: list[Path], on_progress: Progress, draft: Path) -> None:
    project = draft.with_name("project")
    project.mkdir()
    for source in sources:
        copy = shutil.copytree if source.is_dir() else shutil.copyfile
        copy(source, project / source.name)
    modules = _install_modules(sources[0].parent, on_progress)
    (project / "node_modules").symlink_to(modules)
    on_progress("building the console")
    run_program(
        ["node", "node_modules/vite/bin/vite.js", "build", "--outDir", str(draft), "--logLevel", "error"],
        failure="The console could not be built:",
        folder=project,
    )


def _install_modules(folder: Path, on_progress: Progress) -> Path:
    """The packages of the lock file, whose hashes npm verifies; fetched again when it changes."""
    installed = folder.parents[1] / ".build" / "console"
    locks = [folder / name for name in LOCK_FILES]
    build_if_changed(installed, fingerprint(*locks), partial(_install, locks, on_progress))
    return installed / "node_modules"


def _install(locks: list[Path], on_progress: Progress, draft: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise ConsoleUnavailable("npm is not installed")
    on_progress("fetching the packages of the console")
    draft.mkdir()
    for lock in locks:
        shutil.copyfile(lock, draft / lock.name)
    try:
        run_program(
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries", "1"],
            failure="npm cannot fetch its packages:",
            folder=draft,
        )
    except PackagingError as error:
        raise ConsoleUnavailable(str(error)) from error
