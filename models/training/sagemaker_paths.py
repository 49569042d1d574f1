"""The folders of a SageMaker training job, under any root."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.training.errors import InvalidRecipe

MAX_FAILURE_CHARACTERS = 1024
"""The part of a failure file that SageMaker reports."""


@dataclass(frozen=True, slots=True)
class SageMakerPaths:
    """`root` is /opt/ml in a container."""

    root: Path

    @property
    def model_dir(self) -> Path:
        """Its content becomes the job's model.tar.gz."""
        return self.root / "model"

    @property
    def checkpoint_dir(self) -> Path:
        """Restored after an interruption."""
        return self.root / "checkpoints"

    def channel(self, name: str) -> Path:
        return self.root / "input" / "data" / name

    def hyperparameters(self) -> Mapping[str, str]:
        """All values are strings."""
        return {str(name): str(value) for name, value in self._read_config("hyperparameters").items()}

    def clear_failure(self) -> None:
        self._failure_file.unlink(missing_ok=True)

    def write_failure(self, reason: str) -> None:
        """Write the reason; an existing one is kept, because it is the cause of later ones."""
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
