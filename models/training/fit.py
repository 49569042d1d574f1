"""The loop: steps, epochs, early stopping; on one processor or many, and on from where it was killed.

Every step draws its chance from the seed, the epoch and its own number. So a run that was interrupted goes
through the very steps that it would have gone through, and ends with the same weights.
"""

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from models.training.checkpoints import Standing, restore, save
from models.training.crew import Crew
from models.training.interruption import Interrupted, Notice
from models.training.progress import Progress
from models.training.recipe import Plan

LEAST_RATE = 0.05
"""Share of the learning rate that is left at the last epoch."""


class Learner(Protocol):
    """What is learned. `module` turns inputs and truth into a loss."""

    module: nn.Module

    def __len__(self) -> int:
        """Items to learn from."""

    def weights(self) -> list[tuple[list[nn.Parameter], float]]:
        """What is learned, in groups, each with its share of the learning rate."""

    def batch(self, items: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs and truth of these items, on the device, varied at random."""

    def validate(self) -> tuple[float, float]:
        """Loss and score on the validation split; a higher score is better."""


class Fitting:
    """One learner on its way."""

    def __init__(self, learner: Learner, plan: Plan, *, key: str, crew: Crew, checkpoints: Path) -> None:
        self._learner, self._plan, self._crew, self._folder = learner, plan, crew, checkpoints
        self._module = crew.join(learner.module)
        groups = [{"params": weights, "share": share} for weights, share in learner.weights()]
        self._optimiser = torch.optim.AdamW(groups, lr=plan.rate, weight_decay=plan.decay)
        self._scaler = torch.amp.GradScaler(crew.device.type, enabled=crew.device.type == "cuda")
        self._at = restore(checkpoints, key) or Standing(key)
        self._saved = time.monotonic()
        if self._at.weights:
            learner.module.load_state_dict(self._at.weights)
            self._optimiser.load_state_dict(self._at.optimiser)
            self._scaler.load_state_dict(self._at.scaler)

    def run(self, notice: Notice, progress: Progress) -> None:
        """Learn until plan or patience ends; the module is left with its best weights. Raises Interrupted."""
        at, plan = self._at, self._plan
        if at.best_weights:
            progress.say("resumed", epoch=at.epoch, step=at.step)
        else:
            self._judge(*self._validated())
        while at.epoch < plan.epochs and at.stale < plan.patience:
            self._epoch(notice, progress)
            self._close(progress)
        self._learner.module.load_state_dict(at.best_weights)

    def _epoch(self, notice: Notice, progress: Progress) -> None:
        at, plan = self._at, self._plan
        rate = plan.rate * (
            LEAST_RATE + (1 - LEAST_RATE) * (1 + math.cos(math.pi * at.epoch / plan.epochs)) / 2
        )
        for group in self._optimiser.param_groups:
            group["lr"] = rate * group["share"]
        self._module.train()
        progress.begin()
        for items in list(self._batches())[at.step :]:
            if self._crew.any(notice.given):
                self._keep()
                raise Interrupted(f"at epoch {at.epoch}, step {at.step}")
            if time.monotonic() - self._saved > plan.checkpoint_s:
                self._keep()
            at.loss += self._step(items)
            at.step += 1
            progress.step()

    def _step(self, items: Tensor) -> float:
        at = self._at
        torch.manual_seed(hash((self._plan.seed, at.epoch, at.step, self._crew.rank)) % 2**63)
        inputs, truth = self._learner.batch(items)
        self._optimiser.zero_grad(set_to_none=True)
        with torch.autocast(self._crew.device.type, enabled=self._crew.device.type == "cuda"):
            loss = self._module(inputs, truth)
        self._scaler.scale(loss).backward()
        self._scaler.step(self._optimiser)
        self._scaler.update()
        return float(loss.detach())

    def _close(self, progress: Progress) -> None:
        """End an epoch, leave a checkpoint, and only then tell of it."""
        at, ended = self._at, self._at.epoch
        train_loss = at.loss / max(at.step, 1)
        loss, score = self._validated()
        at.stale += 1
        self._judge(loss, score)
        at.epoch, at.step, at.loss = ended + 1, 0, 0.0
        self._keep()
        progress.epoch(ended, train_loss=train_loss, validation_loss=loss, validation_score=score)

    def _validated(self) -> tuple[float, ...]:
        self._module.eval()
        with torch.no_grad():
            return self._crew.agree(*self._learner.validate())

    def _judge(self, loss: float, score: float) -> None:
        """Is it the best so far? What there was before the first step counts too."""
        if not self._at.best_weights or (score, -loss) > self._at.best:
            self._at.best, self._at.stale = (score, -loss), 0
            self._at.best_weights = _copy(self._learner.module)

    def _keep(self) -> None:
        self._at.weights = _copy(self._learner.module)
        self._at.optimiser, self._at.scaler = self._optimiser.state_dict(), self._scaler.state_dict()
        if self._crew.leads:
            save(self._at, self._folder)
        self._saved = time.monotonic()

    def _batches(self) -> Iterator[Tensor]:
        """This process's share of each batch, in the epoch's order; each process has as many."""
        generator = torch.Generator().manual_seed(hash((self._plan.seed, self._at.epoch)) % 2**63)
        order = torch.randperm(len(self._learner), generator=generator)
        even = order[: len(order) // self._crew.size * self._crew.size]
        share = even[self._crew.rank :: self._crew.size]
        yield from share.split(max(1, self._plan.batch // self._crew.size))


def _copy(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().cpu().clone() for name, value in module.state_dict().items()}
