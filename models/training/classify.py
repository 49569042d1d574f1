"""A classifier as it is learned: pictures varied, losses weighted, scored on the validation split."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from models.training.channels import Samples
from models.training.graph import Graph
from models.training.recipe import Answer, Variation
from models.training.vary import varied
from vigil.learn.measures import MEASURES
from vigil.learn.scored import Scored

AT_ONCE = 32
"""Pictures scored together."""


@dataclass(frozen=True, slots=True, eq=False)
class Lighting:
    """(pixel - mean) / scale, one of each a channel, as in the card."""

    mean: tuple[float, ...]
    scale: tuple[float, ...]

    @classmethod
    def of(cls, pictures: NDArray[np.uint8]) -> "Lighting":
        """Learned from (N, C, H, W) pictures."""
        counts = np.zeros((pictures.shape[1], 256), np.int64)
        for picture in pictures:
            counts += _levels(picture)
        share, level = counts / counts.sum(axis=1, keepdims=True), np.arange(256)
        mean = share @ level
        scale = np.sqrt(np.maximum(share @ level**2 - mean**2, 1))
        return cls(tuple(mean.round(2).tolist()), tuple(scale.round(2).tolist()))

    def apply(self, pictures: Tensor) -> Tensor:
        shape = (1, len(self.mean), 1, 1)
        mean = torch.tensor(self.mean, device=pictures.device).view(shape)
        scale = torch.tensor(self.scale, device=pictures.device).view(shape)
        return (pictures - mean) * (1 / scale)


def _levels(picture: NDArray[np.uint8]) -> NDArray[np.int64]:
    """(C, 256): how often each level occurs in a picture, so that no picture has to become floats."""
    return np.stack([np.bincount(plane.ravel(), minlength=256) for plane in picture])


class Loss(nn.Module):
    """Cross-entropy of a graph's logits, heavier for rare classes."""

    def __init__(self, graph: Graph, answer: Answer, weights: NDArray[np.float32]) -> None:
        super().__init__()
        self.graph = graph
        self._answer = answer
        self.register_buffer("_weights", torch.from_numpy(weights), persistent=False)

    def forward(self, pictures: Tensor, truth: Tensor) -> Tensor:
        return self.of(self.graph(pictures).float(), truth)

    def of(self, logits: Tensor, truth: Tensor) -> Tensor:
        if self._answer == "softmax":
            return functional.cross_entropy(logits, truth, weight=self._weights)
        wanted = truth.to(logits.dtype).unsqueeze(1)
        each = self._weights[truth].unsqueeze(1)
        return functional.binary_cross_entropy_with_logits(logits, wanted, weight=each)


class ClassifierLearner:
    """Port Learner."""

    def __init__(
        self,
        module: Loss,
        *,
        train: Samples,
        validation: Samples,
        labels: tuple[str, ...],
        device: torch.device,
    ) -> None:
        self.module = module.to(device)
        self.labels, self._device = labels, device
        self._train, self._validation = train, validation
        self._pictures = torch.from_numpy(train.values)
        self._truth = torch.from_numpy(train.truth(labels))
        self.lighting = Lighting.of(train.values)
        self.variation, self.score = Variation(), "accuracy"

    def __len__(self) -> int:
        return len(self._train)

    def weights(self) -> list[tuple[list[nn.Parameter], float]]:
        return [(list(self.module.parameters()), 1.0)]

    def batch(self, items: Tensor) -> tuple[Tensor, Tensor]:
        pictures = self._pictures[items].to(self._device).float()
        return self.lighting.apply(varied(pictures, self.variation)), self._truth[items].to(self._device)

    def validate(self) -> tuple[float, float]:
        logits = self.logits(self._validation)
        truth = torch.from_numpy(self._validation.truth(self.labels))
        loss = self.module.of(logits.to(self._device), truth.to(self._device))
        return float(loss), MEASURES[self.score](scored(logits.numpy(), self._validation, self.labels))

    def inputs(self, samples: Samples) -> Tensor:
        """(N, C, H, W) float32: what the network gets of these samples, unvaried."""
        return self.lighting.apply(torch.from_numpy(samples.values).float())

    def logits(self, samples: Samples) -> Tensor:
        """(N, L) float32, on the processor."""
        self.module.eval()
        with torch.no_grad():
            parts = [
                self.module.graph(self.lighting.apply(part.to(self._device).float()))
                for part in torch.from_numpy(samples.values).split(AT_ONCE)
            ]
        return torch.cat(parts).float().cpu()


def class_weights(truth: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
    """Inverse to each class's share, 1 on average over items."""
    counts = np.bincount(truth, minlength=classes)
    return (len(truth) / (classes * np.maximum(counts, 1))).astype(np.float32)


def probabilities(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """(N, L) logits: one column through the sigmoid, several through softmax."""
    exact = logits.astype(np.float64)
    if exact.shape[1] == 1:
        return np.asarray(1 / (1 + np.exp(-np.clip(exact, -80, 80))))
    powers = np.exp(exact - exact.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def scored(
    logits: NDArray[np.float32], samples: Samples, labels: tuple[str, ...], threshold: float | None = None
) -> Scored:
    """What the network said of a split, beside what is right."""
    return Scored(
        labels, samples.truth(labels), probabilities(logits), threshold, samples.groups, samples.slices
    )
