"""An embedding as it is learned: known people's faces against their centres, scored on people never seen."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.training.channels import Samples
from models.training.embedder import Embedder
from models.training.recipe import Plan, plan
from models.training.searching import found_rate, searches
from vigil.predict.table import Table


@dataclass(frozen=True, slots=True)
class Recipe:
    """For an embedding.

    pull            holds the projection near to doing nothing
    backbone_share  of the learning rate, for a backbone that is not frozen
    quality_loss    the most that 8-bit weights may cost of the found rate on the validation split
    """

    plan: Plan
    margin_rad: float
    scale: float
    pull: float
    backbone_share: float
    licence: str
    quality_loss: float

    @classmethod
    def read(cls, table: Table) -> "Recipe":
        return cls(
            plan(table, "found_rate"),
            margin_rad=table.number("arcface.margin_rad"),
            scale=table.number("arcface.scale"),
            pull=table.number("arcface.pull"),
            backbone_share=table.number("arcface.backbone_share"),
            licence=table.text("release.licence"),
            quality_loss=table.number("release.quality_loss"),
        )


class EmbeddingLearner:
    """Port Learner."""

    def __init__(
        self,
        module: Embedder,
        train: Samples,
        validation: Samples,
        *,
        backbone_share: float,
        device: torch.device,
    ) -> None:
        self._backbone_share = backbone_share
        self.module = module.to(device)
        self._device, self._validation = device, validation
        self._values = torch.from_numpy(train.values)
        self._people = torch.from_numpy(train.truth(tuple(sorted(set(train.labels)))))
        module.head.begin(torch.from_numpy(self.embed(train.values)).to(device), self._people.to(device))

    def __len__(self) -> int:
        return len(self._people)

    def weights(self) -> list[tuple[list[nn.Parameter], float]]:
        """A backbone knows much already: it learns more slowly."""
        fresh = [*self.module.projection.parameters(), *self.module.head.parameters()]
        thawed = [] if self.module.backbone is None else list(self.module.backbone.parameters())
        return [(fresh, 1.0), (thawed, self._backbone_share)] if thawed else [(fresh, 1.0)]

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
