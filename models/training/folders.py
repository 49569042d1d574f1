"""SageMaker's folder contract, under any root: what a job is told and reads, and where it leaves what."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.training.errors import BadRecipe

FAILURE_CHARACTERS = 1024
"""SageMaker shows no more of a failure file."""


@dataclass(frozen=True, slots=True)
class Folders:
    """`root` is /opt/ml in a container."""

    root: Path

    @property
    def result(self) -> Path:
        """What is left here becomes the job's model.tar.gz."""
        return self.root / "model"

    @property
    def checkpoints(self) -> Path:
        """Kept across interruptions."""
        return self.root / "checkpoints"

    def channel(self, name: str) -> Path:
        return self.root / "input" / "data" / name

    def settings(self) -> Mapping[str, str]:
        """The hyperparameters, all of them texts."""
        return {str(name): str(value) for name, value in self._config("hyperparameters").items()}

    def hosts(self) -> tuple[tuple[str, ...], str]:
        """Every host of the job, and this one; alone where nothing is said."""
        told = self._config("resourceconfig") or {"hosts": ["localhost"], "current_host": "localhost"}
        return tuple(sorted(told["hosts"])), str(told["current_host"])

    def clear(self) -> None:
        """Forget the reason of an earlier run."""
        self._failure.unlink(missing_ok=True)

    def fail(self, reason: str) -> None:
        """Leave the reason where SageMaker looks for it; the first one told is the cause of the rest."""
        if not self._failure.exists():
            self._failure.parent.mkdir(parents=True, exist_ok=True)
            self._failure.write_text(reason[:FAILURE_CHARACTERS], "utf-8")

    @property
    def _failure(self) -> Path:
        return self.root / "output" / "failure"

    def _config(self, name: str) -> dict[str, Any]:
        path = self.root / "input" / "config" / f"{name}.json"
        if not path.is_file():
            return {}
        try:
            return dict(json.loads(path.read_text("utf-8")))
        except (ValueError, TypeError) as error:
            raise BadRecipe(f"{path.name} is not a JSON object: {error}") from error
