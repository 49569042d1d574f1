"""What training and drift measurement remember from one run to the next, in state rows."""

from collections.abc import Sequence
from datetime import datetime

from cloud.dynamodb.sketches import sketch_from_row, sketch_to_row
from cloud.dynamodb.state import DynamoStateStore
from vigil.releases.drift import OutputSketch
from vigil.training.service import LastTraining


class DynamoTrainingState:
    """Ports TrainingState and DriftState, in the state rows."""

    def __init__(self, states: DynamoStateStore) -> None:
        self._states = states

    def trained_models(self) -> Sequence[str]:
        return tuple((self._states.get("trained_models") or {"models": []})["models"])

    def last_training(self, model: str) -> LastTraining:
        row = self._states.get(f"last_training#{model}") or {}
        return LastTraining(row["data"], datetime.fromisoformat(row["at"]))

    def save_last_training(self, model: str, last: LastTraining) -> None:
        row = {"data": last.dataset_id, "at": last.at.isoformat()}
        self._states.put(f"last_training#{model}", row)
        known = self.trained_models()
        if model not in known:
            self._states.put("trained_models", {"models": sorted([*known, model])})

    def pruned_at(self) -> datetime | None:
        row = self._states.get("datasets-pruned")
        return datetime.fromisoformat(row["pruned_at"]) if row else None

    def save_pruned_at(self, at: datetime) -> None:
        self._states.put("datasets-pruned", {"pruned_at": at.isoformat()})

    def reference(self, model: str, release: str) -> OutputSketch:
        return sketch_from_row(self._states.get(_reference_name(model, release)) or {})

    def save_reference(self, model: str, release: str, reference: OutputSketch) -> None:
        self._states.put(_reference_name(model, release), sketch_to_row(reference))

    def drifting_since(self, model: str) -> datetime | None:
        since = (self._states.get(f"drift#{model}") or {}).get("since")
        return datetime.fromisoformat(since) if since else None

    def save_drifting_since(self, model: str, since: datetime | None) -> None:
        self._states.put(f"drift#{model}", {"since": since.isoformat() if since else ""})


def _reference_name(model: str, release: str) -> str:
    return f"drift_reference#{model}#{release}"
