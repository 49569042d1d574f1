"""Packaging: a Chalice project is written from the sources, packaged, and joined with wheels and models."""

import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # stubs are not among the pins

from infra import monitoring
from infra.lock_file import LOCK_PATH, NotLocked, locked_requirements, version_of
from infra.package.artifacts import (
    build_if_changed,
    compile_folder,
    exclusive_lock,
    extend_zip,
    fingerprint,
    list_files,
    run_program,
    unzip,
    zip_folder,
)
from infra.package.console import build_console
from infra.package.dependencies import (
    FUNCTION_PACKAGES,
    LAYERS,
    PackagePart,
    install_part,
)
from infra.package.targets import PackagingError, Target, find_target
from infra.package.template import check_sizes, measure_sizes, patch_template

_CHALICE_PROGRAM = "import sys; from chalice.cli import main; sys.exit(main())"
_CHALICE_OUTPUT = "out"
_CHALICE_REGION = "us-east-1"
"""Chalice needs a region to look up endpoints; nothing in the template depends on it."""


def _run_chalice(project: Path, merge_template: Path) -> None:
    """Package a Chalice project into its folder `out`, merged with our template."""
    merge = os.path.relpath(merge_template, project)
    command = [sys.executable, "-c", _CHALICE_PROGRAM, "package", "--merge-template", merge, _CHALICE_OUTPUT]
    run_program(
        command,
        failure="Chalice could not package the app:",
        folder=project,
        environment=_chalice_environment(),
    )


def _read_chalice_template(project: Path) -> dict[str, Any]:
    """Read the merged template, which has the format of the template that was merged."""
    candidates = [project / _CHALICE_OUTPUT / name for name in ("sam.yaml", "sam.json")]
    written = next(path for path in candidates if path.exists())
    loaded: dict[str, Any] = yaml.load(written.read_text(), Loader=yaml.SafeLoader)
    return loaded


def _chalice_environment() -> dict[str, str]:
    """Return the environment without PYTHONPATH, through which Chalice would import other sources."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {"AWS_DEFAULT_REGION": _CHALICE_REGION, **inherited, "PYTHONDONTWRITEBYTECODE": "1"}


SHIPPED_PACKAGES = {"functions": "functions", "layers/vigil": "vigil", "layers/cloud": "cloud"}
"""Source folder -> package in the function zip."""

CHALICE_CONFIG = "chalice.json"
POLICIES_PATH = "infra/policies"

_APP_SOURCE = '''"""The module that Lambda and Chalice load."""

from functions.app import app

__all__ = ["app"]
'''


def _project_sources(root: Path) -> list[Path]:
    return [*(root / folder for folder in SHIPPED_PACKAGES), root / CHALICE_CONFIG, root / POLICIES_PATH]


def _write_project(root: Path, project: Path) -> None:
    """Write a Chalice project; its requirements are empty so that Chalice fetches nothing."""
    if not (root / CHALICE_CONFIG).is_file():
        raise PackagingError(f"{CHALICE_CONFIG} is missing: it configures each function.")
    vendor = project / "vendor"
    for folder, package in SHIPPED_PACKAGES.items():
        _copy_folder(root / folder, vendor / package)
    _copy_folder(root / POLICIES_PATH, project / ".chalice")
    shutil.copyfile(root / CHALICE_CONFIG, project / ".chalice" / "config.json")
    (project / "app.py").write_text(_APP_SOURCE)
    (project / "requirements.txt").write_text("")


def _copy_folder(source: Path, target: Path) -> None:
    target.mkdir(parents=True)
    for path in list_files(source):
        copied = target / path.relative_to(source)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copied)


ROOT = Path(__file__).resolve().parents[2]
TEMPLATE_PATH = "infra/template.yaml"
SLO_PATH = "infra/slo.toml"
MODELS_PATH = "build/models"
CONSOLE_FOLDER = "console"

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class PackageJob:
    """What is packaged, for which target, and who receives the progress."""

    target: Target
    root: Path
    on_progress: Progress

    @property
    def output_folder(self) -> Path:
        return self.root / "build" / "package" / self.target.name

    @property
    def function_packages_zip(self) -> Path:
        """Zip of the function's third-party packages, reused by later builds."""
        return self.output_folder / "parts" / "packages.zip"

    @property
    def chalice_project(self) -> Path:
        return self.root / ".build" / self.target.name


def package(name: str, *, root: Path = ROOT, on_progress: Progress | None = None) -> Path:
    """Package for "local" or "aws" and return the folder that holds sam.json.

    Only what changed since the last run is built again; `on_progress` receives each step.
    Raises PackagingError, and TooLarge above Lambda's limit.
    """
    job = PackageJob(find_target(name), root, on_progress or _ignore_progress)
    if job.target.compiler is None:
        job.on_progress(
            f"no python{job.target.python} here: without bytecode, each cold start compiles the code"
        )
    with exclusive_lock(job.output_folder):
        _build_part(job, FUNCTION_PACKAGES, job.function_packages_zip, _build_packages_zip)
        for part in LAYERS:
            _build_part(job, part, job.output_folder / "layers" / part.name, _build_layer)
        _build_model_layers(job)
        _build_code(job)
        build_console(job.root, job.output_folder / CONSOLE_FOLDER, job.on_progress)
    check_sizes(measure_sizes(json.loads((job.output_folder / "sam.json").read_text()), job.output_folder))
    return job.output_folder


def _build_part(
    job: PackageJob,
    part: PackagePart,
    target: Path,
    build: Callable[[PackageJob, PackagePart, list[str], Path], None],
) -> None:
    try:
        requirements = locked_requirements(job.root / LOCK_PATH, part.packages)
    except NotLocked as error:
        raise PackagingError(str(error)) from error
    build_files = [Path(__file__).with_name(module) for module in ("dependencies.py", "artifacts.py")]
    key = fingerprint(part.name, job.target.key, *requirements, *build_files)
    build_if_changed(target, key, partial(build, job, part, requirements))


def _build_packages_zip(job: PackageJob, part: PackagePart, requirements: list[str], draft: Path) -> None:
    job.on_progress(f"fetching {len(requirements)} packages for the functions")
    folder = draft.with_name("site-packages")
    install_part(part, job.target, requirements, folder)
    zip_folder(folder, draft)


def _build_layer(job: PackageJob, part: PackagePart, requirements: list[str], draft: Path) -> None:
    job.on_progress(f"fetching {', '.join(map(version_of, requirements))} for the {part.name} layer")
    draft.mkdir()
    install_part(part, job.target, requirements, draft / "python")


def _build_model_layers(job: PackageJob) -> None:
    models = job.root / MODELS_PATH
    if not models.is_dir():
        raise PackagingError(f"{MODELS_PATH} is missing: run `make models` first.")
    key = fingerprint(models)
    build_if_changed(job.output_folder / "layers" / "models", key, partial(_copy_models, job, models))
    slo_file = job.root / SLO_PATH
    build_if_changed(
        job.output_folder / "layers" / "cards",
        fingerprint(key, slo_file),
        partial(_copy_cards, models, slo_file),
    )


def _copy_models(job: PackageJob, models: Path, draft: Path) -> None:
    job.on_progress("copying the models")
    shutil.copytree(models, draft / "models")


def _copy_cards(models: Path, slo_file: Path, draft: Path) -> None:
    """Copy the model cards without the models, and the SLOs, for functions that only describe them."""
    for source in (*models.glob("*/card.toml"), *models.glob("*/release.json")):
        copied = draft / "cards" / source.relative_to(models)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copied)
    shutil.copyfile(slo_file, draft / "cards" / slo_file.name)


def _build_code(job: PackageJob) -> None:
    """Build sam.json and deployment.zip from one run of Chalice."""
    template_inputs = [job.root / TEMPLATE_PATH, job.root / SLO_PATH, Path(monitoring.__file__).parent]
    inputs = [*_project_sources(job.root), *template_inputs, Path(__file__).parent]
    key = fingerprint(job.target.key, version("chalice"), *inputs)
    packages_key = job.function_packages_zip.with_name(f".{job.function_packages_zip.name}.key")
    build_if_changed(job.chalice_project, key, partial(_build_chalice_project, job))
    build_if_changed(
        job.output_folder / "deployment.zip",
        fingerprint(key, packages_key),
        partial(_build_deployment_zip, job),
    )
    build_if_changed(job.output_folder / "sam.json", key, partial(_write_template, job))


def _build_chalice_project(job: PackageJob, draft: Path) -> None:
    job.on_progress("packaging the functions")
    _write_project(job.root, draft)
    _run_chalice(draft, job.root / TEMPLATE_PATH)


def _build_deployment_zip(job: PackageJob, draft: Path) -> None:
    folder = draft.with_name("task")
    unzip(job.chalice_project / _CHALICE_OUTPUT / "deployment.zip", folder)
    compile_folder(folder, job.target, FUNCTION_PACKAGES.mounted_at)
    extend_zip(job.function_packages_zip, draft, folder)


def _write_template(job: PackageJob, draft: Path) -> None:
    template = patch_template(_read_chalice_template(job.chalice_project), job.target)
    template = monitoring.add_monitoring(
        template, monitoring.read_slo_config((job.root / SLO_PATH).read_text())
    )
    draft.write_text(json.dumps(template, indent=2, sort_keys=True))


def _ignore_progress(_: str) -> None:
    pass
