"""The story of packaging: rooms, wheels and models become build/package/<target>/."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

from infra import slo
from infra.package import archive, chalicing, patch, project
from infra.package.bytecode import compile_folder
from infra.package.contents import LAYERS, LIGHT, Part
from infra.package.errors import PackagingError
from infra.package.fresh import alone, fingerprint, keep
from infra.package.parts import gather, pins
from infra.package.sizes import refuse_too_large, weigh
from infra.package.targets import Target, target

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = "infra/template.yaml"
PROMISES = "infra/slo.toml"
MODELS = "build/models"

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Order:
    """What is packaged, for which cloud, and who wants to hear how it goes."""

    target: Target
    root: Path
    tell: Progress

    @property
    def out(self) -> Path:
        return self.root / "build" / "package" / self.target.name

    @property
    def light(self) -> Path:
        """Third-party packages of the function zip, compressed once and for every later build."""
        return self.out / "parts" / "light.zip"

    @property
    def laid_out(self) -> Path:
        """The Chalice project."""
        return self.root / ".build" / self.target.name


def package(name: str, *, root: Path = ROOT, on_progress: Progress | None = None) -> Path:
    """Package for "local" or "aws" and return the folder that holds sam.json.

    What has not changed since the last run is left alone: the second run only hashes. `on_progress`
    is told each thing that is being made anew. Raises PackagingError, and TooLarge above Lambda's limit.
    """
    order = Order(target(name), root, on_progress or _silent)
    with alone(order.out):
        _keep_part(order, LIGHT, order.light, _make_zip)
        for part in LAYERS:
            _keep_part(order, part, order.out / "layers" / part.name, _make_layer)
        _keep_models(order)
        _keep_code(order)
    refuse_too_large(weigh(json.loads((order.out / "sam.json").read_text()), order.out))
    return order.out


def _keep_part(
    order: Order, part: Part, place: Path, make: Callable[[Order, Part, list[str], Path], None]
) -> None:
    requirements = pins(part, order.root / "constraints.txt")
    makers = ("contents.py", "parts.py", "descriptions.py", "bytecode.py", "archive.py")
    rules = [Path(__file__).with_name(maker) for maker in makers]
    key = fingerprint(part.name, order.target.key, *requirements, *rules)
    keep(place, key, partial(make, order, part, requirements))


def _make_zip(order: Order, part: Part, requirements: list[str], draft: Path) -> None:
    order.tell(f"fetching {len(requirements)} packages for the functions")
    folder = draft.with_name("site-packages")
    gather(part, order.target, requirements, folder)
    archive.zip_folder(folder, draft)


def _make_layer(order: Order, part: Part, requirements: list[str], draft: Path) -> None:
    order.tell(f"fetching {', '.join(requirements)} for the {part.name} layer")
    draft.mkdir()
    gather(part, order.target, requirements, draft / "python")


def _keep_models(order: Order) -> None:
    models = order.root / MODELS
    if not models.is_dir():
        raise PackagingError(f"{MODELS} is missing: `make models` fetches the models first.")
    key = fingerprint(models)
    keep(order.out / "layers" / "models", key, partial(_make_models, order, models))
    promises = order.root / PROMISES
    keep(order.out / "layers" / "cards", fingerprint(key, promises), partial(_make_cards, models, promises))


def _make_models(order: Order, models: Path, draft: Path) -> None:
    order.tell("copying the models")
    shutil.copytree(models, draft / "models")


def _make_cards(models: Path, promises: Path, draft: Path) -> None:
    """What the models say of themselves, for those who only want to know: no graphs; and what is promised."""
    for told in (*models.glob("*/card.toml"), *models.glob("*/release.json")):
        copied = draft / "cards" / told.relative_to(models)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(told, copied)
    shutil.copyfile(promises, draft / "cards" / promises.name)


def _keep_code(order: Order) -> None:
    """sam.json and deployment.zip, from one run of Chalice on the laid-out project."""
    rules = [order.root / TEMPLATE, order.root / PROMISES, Path(slo.__file__).parent]
    inputs = [*project.sources(order.root), *rules, Path(__file__).parent]
    key = fingerprint(order.target.key, version("chalice"), *inputs)
    light = order.light.with_name(f".{order.light.name}.key")
    keep(order.laid_out, key, partial(_make_project, order))
    keep(order.out / "deployment.zip", fingerprint(key, light), partial(_make_code, order))
    keep(order.out / "sam.json", key, partial(_make_template, order))


def _make_project(order: Order, draft: Path) -> None:
    order.tell("packaging the functions")
    project.lay_out(order.root, draft)
    chalicing.run_chalice(draft, order.root / TEMPLATE)


def _make_code(order: Order, draft: Path) -> None:
    folder = draft.with_name("task")
    archive.unzip(chalicing.code(order.laid_out), folder)
    compile_folder(folder, order.target, LIGHT.mounted_at)
    archive.extend(order.light, draft, folder)


def _make_template(order: Order, draft: Path) -> None:
    patched = patch.patched(chalicing.template(order.laid_out), order.target)
    patched = slo.monitored(patched, slo.read((order.root / PROMISES).read_text()))
    draft.write_text(json.dumps(patched, indent=2, sort_keys=True))


def _silent(_: str) -> None:
    pass
