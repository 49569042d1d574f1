"""SageMaker's folder contract, under any root: what a job is told and reads, and where it leaves what."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.training.errors import InvalidRecipe

MAX_FAILURE_CHARACTERS = 1024
"""SageMaker shows no more of a failure file."""


@dataclass(frozen=True, slots=True)
class SageMakerPaths:
    """`root` is /opt/ml in a container."""

    root: Path

    @property
    def model_dir(self) -> Path:
        """What is left here becomes the job's model.tar.gz."""
        return self.root / "model"

    @property
    def checkpoint_dir(self) -> Path:
        """Kept across interruptions."""
        return self.root / "checkpoints"

    def channel(self, name: str) -> Path:
        return self.root / "input" / "data" / name

    def hyperparameters(self) -> Mapping[str, str]:
        """The hyperparameters, all of them texts."""
        return {str(name): str(value) for name, value in self._read_config("hyperparameters").items()}

    def hosts(self) -> tuple[tuple[str, ...], str]:
        """Every host of the job, and this one; alone where nothing is said."""
        config = self._read_config("resourceconfig") or {"hosts": ["localhost"], "current_host": "localhost"}
        return tuple(sorted(config["hosts"])), str(config["current_host"])

    def clear_failure(self) -> None:
        """Forget the reason of an earlier run."""
        self._failure_file.unlink(missing_ok=True)

    def write_failure(self, reason: str) -> None:
        """Leave the reason where SageMaker looks for it; the first one told is the cause of the rest."""
        if not self._failure_file.exists():
            self._failure_file.parent.mkdir(parents=True, exist_ok=True)
            self._failure_file.write_text(reason[:MAX_FAILURE_CHARACTERS], "utf-8")

    @property
    def _failure_file(self) -> Path:
        return self.root / "output" / "failure"

    def _read_config(self, name: str) -> dict[str, Any]:
        path = self.root / "input" / "config" / f"{name}.json"
        if not path.is_file():
            return {}
        try:
            return dict(json.loads(path.read_text("utf-8")))
        except (ValueError, TypeError) as error:
            raise InvalidRecipe(f"{path.name} is not a JSON object: {error}") from error
