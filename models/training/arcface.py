"""The ArcFace loss (Deng et al. 2019), which separates people's embeddings by an angle."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class ArcFace(nn.Module):
    """One centre for each person, used in training only. Call `initialise_centres` first.

    margin_rad  added to the angle between an embedding and its own person's centre
    scale       of the cosines before softmax
    """

    def __init__(self, subject_count: int, embedding_length: int, *, margin_rad: float, scale: float) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.zeros(subject_count, embedding_length))
        self._margin, self._scale = margin_rad, scale

    def initialise_centres(self, embeddings: Tensor, subjects: Tensor) -> None:
        """Set each centre to the mean of its person's (N, D) embeddings."""
        sums = torch.zeros_like(self.centres).index_add_(0, subjects, functional.normalize(embeddings))
        self.centres.data.copy_(functional.normalize(sums))

    def forward(self, embeddings: Tensor, subjects: Tensor) -> Tensor:
        """Mean loss of (N, D) embeddings of (N,) subjects, in float32 because of angles near 0."""
        cosine = functional.linear(
            functional.normalize(embeddings.float()), functional.normalize(self.centres.float())
        )
        own = functional.one_hot(subjects, len(self.centres)).bool()
        return functional.cross_entropy(
            self._scale * torch.where(own, self._with_margin(cosine), cosine), subjects
        )

    def _with_margin(self, cosine: Tensor) -> Tensor:
        """cos(angle + margin); beyond pi a linear continuation, so that it stays monotonic."""
        angle = torch.acos(cosine.clamp(-1 + 1e-6, 1 - 1e-6))
        shifted = torch.cos(angle + self._margin)
        return torch.where(
            angle + self._margin < math.pi, shifted, cosine - self._margin * math.sin(self._margin)
        )
