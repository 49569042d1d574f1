"""What functions import, and with it how long a cold start takes."""

import ast
import subprocess
import sys
from pathlib import Path

from tests.architecture.source import parse

ROOT = Path(__file__).resolve().parents[2]
COMPOSITION = ("adapters.py", "container.py")
LIVE_LANE_MEMBERS = {
    "logger",
    "deadline",
    "clients",
    "ledger",
    "input_reader",
    "rules",
    "store",
    "_queue",
    "state_store",
    "metrics",
    "lane_counts",
    "lane_telemetry",
    "lane_runtime",
    "release_files",
    "comparisons",
    "release_health",
    "output_sketches",
    "_bundled_models",
    "_rollout_router",
    "_release_cache",
    "_active_degradation",
}
"""What the container builds for the live lane; each member imports what it needs when it is used."""

LIBRARIES = {"numpy", "onnxruntime", "boto3", "PIL.Image"}
OWN_PACKAGES = {"functions", "cloud", "vigil"}
MAX_OWN_MODULES = 80
IMPORTED_PACKAGES = {"aws_lambda_powertools", "chalice", "msgspec"}
"""What the live lane imports besides LIBRARIES and the standard library."""


def test_the_live_lane_imports_few_modules_besides_its_libraries():
    """A cold start is mostly imports; `make bench` measures their time."""
    loaded = _loaded_modules({"functions.live", *_builder_imports(), *LIBRARIES}) - _loaded_modules(LIBRARIES)

    own = {name for name in loaded if name.partition(".")[0] in OWN_PACKAGES}
    packages = {name.partition(".")[0] for name in loaded - own}
    assert len(own) <= MAX_OWN_MODULES
    assert {name for name in packages - sys.stdlib_module_names if not name.startswith("_")} <= (
        IMPORTED_PACKAGES | {"numpy", "PIL", "typing_extensions"}
    )


def test_the_live_lane_loads_no_event_loop_and_no_event_classes():
    unused = {"asyncio", "aws_lambda_powertools.utilities.data_classes", "boto3"}

    assert unused & _loaded_modules({"functions.live"}) == set()


def _builder_imports() -> set[str]:
    trees = [parse(ROOT / "functions" / "runtime" / name) for name in COMPOSITION]
    members = [
        node
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name in LIVE_LANE_MEMBERS
    ]
    assert {member.name for member in members} == LIVE_LANE_MEMBERS
    imports = [node for member in members for node in ast.walk(member) if isinstance(node, ast.ImportFrom)]
    return {node.module for node in imports if node.module}


def test_each_function_loads_only_what_it_needs():
    heavy = {"av", "numpy", "onnxruntime", "PIL", "pydantic", "jwt", "cryptography"}
    needs = {
        "functions.live": {"numpy"},
        "functions.clips": {"av", "numpy", "PIL"},
        "functions.publish": set(),
        "functions.api.app": {"pydantic"},
        "functions.authorizer": set(),
    }

    loaded = {module: _loaded_packages(module) & heavy for module in needs}

    assert loaded == needs


def _loaded_packages(module: str) -> set[str]:
    return {name.partition(".")[0] for name in _loaded_modules({module})}


def _loaded_modules(modules: set[str]) -> set[str]:
    """Names in sys.modules of a fresh interpreter after these imports."""
    program = f"import sys, {', '.join(sorted(modules))}; print(*sys.modules)"
    path = f"{ROOT / 'layers'}:{ROOT}"
    answer = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, env={"PYTHONPATH": path}
    )
    return set(answer.stdout.split())
