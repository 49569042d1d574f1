"""A cold start is imports: the live lane's may cost little more than those of the libraries under it."""

import ast
import subprocess
import sys
from pathlib import Path

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

RUNS = 5
MAX_RATIO = 1.75
LIBRARIES = {"numpy", "onnxruntime", "boto3", "PIL.Image"}


def test_a_cold_start_of_the_live_lane_imports_little_beside_its_libraries():
    live = {"functions.live", *_builder_imports(), *LIBRARIES}

    in_turns = [(_seconds(live), _seconds(LIBRARIES)) for _ in range(RUNS)]
    lane_s, libraries_s = map(min, zip(*in_turns, strict=True))

    assert lane_s / libraries_s < MAX_RATIO


def _builder_imports() -> set[str]:
    trees = [ast.parse((ROOT / "functions" / "runtime" / name).read_text()) for name in COMPOSITION]
    members = [
        node
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name in LIVE_LANE_MEMBERS
    ]
    assert {member.name for member in members} == LIVE_LANE_MEMBERS
    imports = [node for member in members for node in ast.walk(member) if isinstance(node, ast.ImportFrom)]
    return {node.module for node in imports if node.module}


def _seconds(modules: set[str]) -> float:
    """Processor time of importing these in a fresh interpreter: what a busy machine changes least."""
    program = f"import time, {', '.join(sorted(modules))}; print(time.process_time())"
    path = f"{ROOT / 'layers'}:{ROOT}"
    answer = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, env={"PYTHONPATH": path}
    )
    return float(answer.stdout)


def test_each_function_loads_only_what_it_needs():
    heavy = {"numpy", "onnxruntime", "PIL", "pydantic", "jwt", "cryptography"}
    needs = {
        "functions.live": {"numpy"},
        "functions.publish": set(),
        "functions.api.app": {"pydantic"},
        "functions.authorizer": set(),
    }

    loaded = {module: _loaded_packages(module) & heavy for module in needs}

    assert loaded == needs


def _loaded_packages(module: str) -> set[str]:
    """The packages in memory once a module was imported; what it builds later comes later."""
    program = f"import sys, {module}; print(*{{name.split('.')[0] for name in sys.modules}})"
    path = f"{ROOT / 'layers'}:{ROOT}"
    answer = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, env={"PYTHONPATH": path}
    )
    return set(answer.stdout.split())
