"""Change one place of the core at a time with cosmic-ray, and print which changes no test notices.

It works on a copy of the sources. A sample of each module's changes is tried; the seed determines it. Changes
in `equal.toml` behave like the original and are not counted. The exit code is 1 below the target.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-mutation" / "bin" / "python"
"""Of the environment that `make mutation` creates."""

TARGET = 0.95
TESTS_BY_MODULE: Mapping[str, str] = {
    "alerts/evaluate.py": "tests/unit/alerts",
    "faces/enrolment_check.py": "tests/unit/faces/test_enrolment_check.py",
    "people/search.py": "tests/unit/people/test_search.py",
    "releases/drift.py": "tests/unit/releases/test_drift.py",
    "releases/lifecycle.py": "tests/unit/releases",
    "releases/registration.py": "tests/unit/releases/test_registration.py",
    "releases/rollout.py": "tests/unit/releases",
    "reliability/circuit_breaker.py": "tests/unit/reliability/test_circuit_breaker.py",
}
"""Modules of layers/vigil with the tests that must notice their changes."""

_ALL_CHANGES = (
    "SELECT job_id FROM mutation_specs ORDER BY start_pos_row, start_pos_col, operator_name, occurrence"
)

_CONFIG = """[cosmic-ray]
module-path = "{module}"
timeout = 120.0
excluded-modules = []
test-command = "{python} -m pytest -x -q -p no:cacheprovider -p no:randomly {tests}"

[cosmic-ray.distributor]
name = "local"
"""


@dataclass(frozen=True, slots=True)
class Change:
    """One change: its operator, the line, and its difference."""

    module: str
    line: int
    operator: str
    difference: str

    @property
    def text(self) -> str:
        """The changed line, as `equal.toml` names it."""
        added = [line[1:].strip() for line in self.difference.splitlines() if line[:1] == "+"]
        return added[-1] if added else ""


def main(arguments: list[str]) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--python", default=str(PYTHON), help="interpreter that has cosmic-ray")
    parser.add_argument("--sample", type=int, default=10, help="changes of each module that are tried")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("modules", nargs="*", default=list(TESTS_BY_MODULE), help="below layers/vigil")
    options = parser.parse_args(arguments)
    equal = tomllib.loads((ROOT / "tests" / "mutation" / "equal.toml").read_text("utf-8"))
    tried, survivors = 0, list[Change]()
    with tempfile.TemporaryDirectory(prefix="vigil-mutation-") as folder:
        _copy_sources(Path(folder))
        for module in options.modules:
            results = list(_try_changes(Path(folder), module, options))
            counted = [
                (change, noticed) for change, noticed in results if change.text not in equal.get(module, {})
            ]
            tried += len(counted)
            survivors += [change for change, noticed in counted if not noticed]
            print(f"{module}: {sum(noticed for _, noticed in counted)} of {len(counted)}", flush=True)  # noqa: T201
    share = 1 - len(survivors) / tried if tried else 1.0
    for change in survivors:
        print(f"  {change.module}:{change.line} {change.text}")  # noqa: T201
    print(f"mutation: {'ok' if share >= TARGET else 'failed'} {share:.1%} of {tried} changes noticed")  # noqa: T201
    return 0 if share >= TARGET else 1


def _copy_sources(folder: Path) -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True)
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    (folder / "build").symlink_to(ROOT / "build")


def _try_changes(folder: Path, module: str, options: argparse.Namespace) -> Iterator[tuple[Change, bool]]:
    """Each sampled change of a module, and whether a test noticed it."""
    config, session = folder / "cosmic-ray.toml", folder / "session.sqlite"
    session.unlink(missing_ok=True)
    tests = TESTS_BY_MODULE.get(module, f"tests/unit/{module.split('/', maxsplit=1)[0]}")
    config.write_text(_CONFIG.format(module=f"layers/vigil/{module}", python=options.python, tests=tests))
    command = [options.python, "-m", "cosmic_ray.cli"]
    subprocess.run([*command, "init", str(config), str(session)], cwd=folder, check=True)
    _sample(session, options.sample, f"{options.seed}{module}")
    subprocess.run([*command, "exec", str(config), str(session)], cwd=folder, check=True)
    dump = subprocess.run(
        [*command, "dump", str(session)], cwd=folder, check=True, capture_output=True, text=True
    )
    for line in dump.stdout.splitlines():
        item, result = json.loads(line)
        (mutation,) = item["mutations"]
        line_number = mutation["start_pos"][0]
        change = Change(module, line_number, mutation["operator_name"], result["diff"])
        yield change, result["test_outcome"] != "survived"


def _sample(session: Path, size: int, seed: str) -> None:
    """Leave a sample of the changes in the session."""
    with sqlite3.connect(session) as database:
        ids = [row[0] for row in database.execute(_ALL_CHANGES)]
        chosen = set(random.Random(seed).sample(ids, min(size, len(ids))))
        for ident in set(ids) - chosen:
            database.execute("DELETE FROM mutation_specs WHERE job_id = ?", (ident,))
            database.execute("DELETE FROM work_items WHERE job_id = ?", (ident,))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
