"""An embedding as it is learned: known people's faces against their centres, scored on people never seen."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.training.channels import Samples
from models.training.embedder import Embedder
from models.training.recipe import Plan, plan
from models.training.searching import found_rate, searches
from vigil.predict.table import Table


@dataclass(frozen=True, slots=True)
class Recipe:
    """For an embedding; `pull` holds the projection near to doing nothing."""

    plan: Plan
    margin_rad: float
    scale: float
    pull: float
    licence: str

    @classmethod
    def read(cls, table: Table) -> "Recipe":
        return cls(
            plan(table, "found_rate"),
            margin_rad=table.number("arcface.margin_rad"),
            scale=table.number("arcface.scale"),
            pull=table.number("arcface.pull"),
            licence=table.text("release.licence"),
        )


class EmbeddingLearner:
    """Port Learner."""

    def __init__(self, module: Embedder, train: Samples, validation: Samples, device: torch.device) -> None:
        self.module = module.to(device)
        self._device, self._validation = device, validation
        self._values = torch.from_numpy(train.values)
        self._people = torch.from_numpy(train.truth(tuple(sorted(set(train.labels)))))
        module.head.begin(torch.from_numpy(self.embed(train.values)).to(device), self._people.to(device))

    def __len__(self) -> int:
        return len(self._people)

    def batch(self, items: Tensor) -> tuple[Tensor, Tensor]:
        return self._values[items].to(self._device), self._people[items].to(self._device)

    def validate(self) -> tuple[float, float]:
        """The people of the validation split have no centre: what counts is whether they are found."""
        score = found_rate(searches(self.embed(self._validation.values), self._validation.labels))
        return 1 - score, score

    def embed(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        self.module.eval()
        with torch.no_grad():
            parts = [self.module.embed(part.to(self._device)) for part in torch.from_numpy(values).split(64)]
        embedded: NDArray[np.float32] = torch.cat(parts).cpu().numpy()
        return embedded
