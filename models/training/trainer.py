"""The training loop: progress, stop signal, checkpoints, processes, epochs and early stopping.

The random numbers of every step follow from the seed, the epoch and the number of the step. So an interrupted
training repeats the steps of an uninterrupted one and ends with the same weights.
"""

import hashlib
import io
import math
import resource
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import torch
from torch import Tensor, distributed, nn
from torch.distributed import run as torchrun
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.nn.parallel import DistributedDataParallel

from models.training.recipe import FitSettings
from vigil.errors import VigilError


@dataclass(slots=True)
class ProgressLog:
    """Writes a line per epoch to standard output, in the form of PROGRESS_METRICS, if enabled."""

    enabled: bool = True
    _steps: int = 0
    _started_s: float = field(default_factory=time.perf_counter)
    _elapsed_s: float = 0.0

    def start_epoch(self) -> None:
        """Start counting steps."""
        self._steps, self._started_s = 0, time.perf_counter()

    def count_step(self) -> None:
        self._steps += 1
        self._elapsed_s = time.perf_counter() - self._started_s

    def log_epoch(self, number: int, **figures: float) -> None:
        """The figures of an epoch, with its steps per second and the peak memory so far."""
        figures |= {
            "steps_per_s": self._steps / max(self._elapsed_s, 1e-9),
            "peak_memory_mb": peak_memory_mb(),
        }
        self.log(f"epoch={number}", **figures)

    def log(self, message: str, **figures: float) -> None:
        if self.enabled:
            fields = "".join(f" {name}={value:.6g}" for name, value in figures.items())
            sys.stdout.write(f"{message}{fields}\n")
            sys.stdout.flush()


def device_description() -> str:
    if torch.cuda.is_available():
        return f"{torch.cuda.get_device_name()}, mixed precision"
    return f"CPU, {torch.get_num_threads()} threads"


def peak_memory_mb() -> float:
    """Of the GPU if there is one, else of this process."""
    if torch.cuda.is_available():
        return float(torch.cuda.max_memory_allocated()) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class TrainingInterrupted(VigilError):
    """Training was stopped and has written a checkpoint, from which the next run continues."""


class StopSignal:
    """Whether SIGTERM was received: a stop, or spot capacity that is reclaimed."""

    def __init__(self) -> None:
        self.received = False

    def install(self) -> None:
        """Handle SIGTERM by setting the flag."""
        signal.signal(signal.SIGTERM, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - what a handler is given
        self.received = True


CHECKPOINT_FILE = "checkpoint.pt"
DIGEST_BYTES = 32
"""Length of the content's SHA-256, which precedes it."""


@dataclass(slots=True)
class TrainingCheckpoint:
    """The complete state of a training between two steps.

    step          next step of the epoch
    epoch_loss    sum over this epoch's steps so far
    best_score    validation metric and negated loss of the best epoch so far
    stale_epochs  epochs since then
    """

    key: str
    epoch: int = 0
    step: int = 0
    epoch_loss: float = 0.0
    best_score: tuple[float, float] = (float("-inf"), float("-inf"))
    stale_epochs: int = 0
    weights: Mapping[str, Any] = field(default_factory=dict)
    best_weights: Mapping[str, Any] = field(default_factory=dict)
    optimiser: Mapping[str, Any] = field(default_factory=dict)
    scaler: Mapping[str, Any] = field(default_factory=dict)


CHECKPOINT_FIELDS = tuple(one.name for one in fields(TrainingCheckpoint))


def save_checkpoint(checkpoint: TrainingCheckpoint, folder: Path) -> None:
    """Replace the checkpoint atomically."""
    folder.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    torch.save({name: getattr(checkpoint, name) for name in CHECKPOINT_FIELDS}, buffer)
    temporary = folder / f"{CHECKPOINT_FILE}.new"
    temporary.write_bytes(hashlib.sha256(buffer.getvalue()).digest() + buffer.getvalue())
    temporary.replace(folder / CHECKPOINT_FILE)


def load_checkpoint(folder: Path, key: str) -> TrainingCheckpoint | None:
    """The checkpoint with this key; None if it is missing, damaged or another job's."""
    path = folder / CHECKPOINT_FILE
    data = path.read_bytes() if path.is_file() else b""
    if len(data) <= DIGEST_BYTES or hashlib.sha256(data[DIGEST_BYTES:]).digest() != data[:DIGEST_BYTES]:
        return None
    values = torch.load(io.BytesIO(data[DIGEST_BYTES:]), map_location="cpu", weights_only=True)
    return TrainingCheckpoint(**values) if values["key"] == key else None


@dataclass(frozen=True, slots=True)
class TrainingGroup:
    """The processes of a job on one host, one for each GPU; this process's rank and device."""

    rank: int
    size: int
    device: torch.device

    @property
    def is_leader(self) -> bool:
        """The process that logs, saves and exports."""
        return self.rank == 0

    def wrap(self, module: nn.Module) -> nn.Module:
        """The module, with gradients averaged over the group."""
        if self.size == 1:
            return module
        devices = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(module, device_ids=devices)

    def any_process(self, flag: bool) -> bool:
        """Whether the flag is set in any process: all must stop together, because the others would wait."""
        if self.size == 1:
            return flag
        flags = torch.tensor([float(flag)], device=self.device)
        distributed.all_reduce(flags, distributed.ReduceOp.MAX)
        return bool(flags.item())

    def broadcast_from_leader(self, *figures: float) -> tuple[float, ...]:
        """The leader's figures, so that rounding does not make processes decide differently."""
        if self.size == 1:
            return figures
        values = torch.tensor(figures, device=self.device, dtype=torch.float64)
        distributed.broadcast(values, 0)
        return tuple(values.tolist())


@contextmanager
def training_group() -> Iterator[TrainingGroup]:
    """The group that torchrun started, or a group of one."""
    if not distributed.is_torchelastic_launched():
        yield TrainingGroup(0, 1, torch.device("cuda" if torch.cuda.is_available() else "cpu"))
        return
    device = _process_device()
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield TrainingGroup(distributed.get_rank(), distributed.get_world_size(), device)
    finally:
        distributed.destroy_process_group()


def is_launcher() -> bool:
    """Whether the job began with this process: torchrun did not start it."""
    return not distributed.is_torchelastic_launched()


def launch(processes: int, command: list[str]) -> None:
    """Start the job's processes and wait for them.

    SIGTERM is passed on to them; after they have written their checkpoint it is no failure here either.
    """
    try:
        torchrun.main(["--standalone", f"--nproc-per-node={processes}", *command])
    except SignalException as passed:
        if passed.sigval != signal.SIGTERM:
            raise


def _process_device() -> torch.device:
    if not torch.cuda.is_available():
        return torch.device("cpu")
    device = torch.device("cuda", distributed.get_node_local_rank())
    torch.cuda.set_device(device)
    return device


MIN_RATE_SHARE = 0.05
"""Share of the learning rate at the last epoch."""


class Learner(Protocol):
    """A task's model and data. `module` computes the loss from inputs and truth."""

    module: nn.Module

    def __len__(self) -> int:
        """Number of training items."""

    def parameter_groups(self) -> list[tuple[list[nn.Parameter], float]]:
        """Groups of parameters, each with its share of the learning rate."""

    def batch(self, items: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs and truth of these items on the device, with augmentation."""

    def validate(self) -> tuple[float, float]:
        """Loss and metric on the validation split; a higher metric is better."""


class Trainer:
    """Fits one learner; continues from its checkpoint."""

    def __init__(
        self, learner: Learner, settings: FitSettings, *, key: str, group: TrainingGroup, checkpoint_dir: Path
    ) -> None:
        self._learner, self._settings, self._group, self._checkpoint_dir = (
            learner,
            settings,
            group,
            checkpoint_dir,
        )
        self._module = group.wrap(learner.module)
        groups = [{"params": weights, "share": share} for weights, share in learner.parameter_groups()]
        self._optimiser = torch.optim.AdamW(
            groups, lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        self._scaler = torch.amp.GradScaler(group.device.type, enabled=group.device.type == "cuda")
        self._checkpoint = load_checkpoint(checkpoint_dir, key) or TrainingCheckpoint(key)
        self._saved_at_s = time.monotonic()
        if self._checkpoint.weights:
            learner.module.load_state_dict(self._checkpoint.weights)
            self._optimiser.load_state_dict(self._checkpoint.optimiser)
            self._scaler.load_state_dict(self._checkpoint.scaler)

    def run(self, stop_signal: StopSignal, progress: ProgressLog) -> None:
        """Train until early stopping or the last epoch; load the best weights. Raises TrainingInterrupted."""
        checkpoint, settings = self._checkpoint, self._settings
        if checkpoint.best_weights:
            progress.log("resumed", epoch=checkpoint.epoch, step=checkpoint.step)
        else:
            self._record_score(*self._validate())
        while checkpoint.epoch < settings.epochs and checkpoint.stale_epochs < settings.patience:
            self._run_epoch(stop_signal, progress)
            self._finish_epoch(progress)
        self._learner.module.load_state_dict(checkpoint.best_weights)

    def _run_epoch(self, stop_signal: StopSignal, progress: ProgressLog) -> None:
        checkpoint, settings = self._checkpoint, self._settings
        rate = settings.learning_rate * (
            MIN_RATE_SHARE
            + (1 - MIN_RATE_SHARE) * (1 + math.cos(math.pi * checkpoint.epoch / settings.epochs)) / 2
        )
        for group in self._optimiser.param_groups:
            group["lr"] = rate * group["share"]
        self._module.train()
        progress.start_epoch()
        for items in list(self._batches())[checkpoint.step :]:
            if self._group.any_process(stop_signal.received):
                self._save_checkpoint()
                raise TrainingInterrupted(f"at epoch {checkpoint.epoch}, step {checkpoint.step}")
            if time.monotonic() - self._saved_at_s > settings.checkpoint_interval_s:
                self._save_checkpoint()
            checkpoint.epoch_loss += self._run_step(items)
            checkpoint.step += 1
            progress.count_step()

    def _run_step(self, items: Tensor) -> float:
        checkpoint = self._checkpoint
        torch.manual_seed(
            hash((self._settings.seed, checkpoint.epoch, checkpoint.step, self._group.rank)) % 2**63
        )
        inputs, truth = self._learner.batch(items)
        self._optimiser.zero_grad(set_to_none=True)
        with torch.autocast(self._group.device.type, enabled=self._group.device.type == "cuda"):
            loss = self._module(inputs, truth)
        self._scaler.scale(loss).backward()
        self._scaler.step(self._optimiser)
        self._scaler.update()
        return float(loss.detach())

    def _finish_epoch(self, progress: ProgressLog) -> None:
        """End an epoch: write the checkpoint before the progress line."""
        checkpoint, epoch = self._checkpoint, self._checkpoint.epoch
        train_loss = checkpoint.epoch_loss / max(checkpoint.step, 1)
        loss, score = self._validate()
        checkpoint.stale_epochs += 1
        self._record_score(loss, score)
        checkpoint.epoch, checkpoint.step, checkpoint.epoch_loss = epoch + 1, 0, 0.0
        self._save_checkpoint()
        progress.log_epoch(epoch, train_loss=train_loss, validation_loss=loss, validation_score=score)

    def _validate(self) -> tuple[float, ...]:
        self._module.eval()
        with torch.no_grad():
            return self._group.broadcast_from_leader(*self._learner.validate())

    def _record_score(self, loss: float, score: float) -> None:
        """Keep the weights if they are the best so far, including those before the first step."""
        if not self._checkpoint.best_weights or (score, -loss) > self._checkpoint.best_score:
            self._checkpoint.best_score, self._checkpoint.stale_epochs = (score, -loss), 0
            self._checkpoint.best_weights = _copy_state(self._learner.module)

    def _save_checkpoint(self) -> None:
        self._checkpoint.weights = _copy_state(self._learner.module)
        self._checkpoint.optimiser, self._checkpoint.scaler = (
            self._optimiser.state_dict(),
            self._scaler.state_dict(),
        )
        if self._group.is_leader:
            save_checkpoint(self._checkpoint, self._checkpoint_dir)
        self._saved_at_s = time.monotonic()

    def _batches(self) -> Iterator[Tensor]:
        """This process's share of each batch in the epoch's order; all processes have equally many."""
        generator = torch.Generator().manual_seed(hash((self._settings.seed, self._checkpoint.epoch)) % 2**63)
        order = torch.randperm(len(self._learner), generator=generator)
        evenly_divisible = order[: len(order) // self._group.size * self._group.size]
        share = evenly_divisible[self._group.rank :: self._group.size]
        yield from share.split(max(1, self._settings.batch_size // self._group.size))


def _copy_state(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().cpu().clone() for name, value in module.state_dict().items()}
