"""One line an epoch to standard output, in the form that the job's metric expressions find."""

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
    """Tells how learning goes. Quiet where another process of the same job tells it."""

    enabled: bool = True
    _steps: int = 0
    _started_s: float = field(default_factory=time.perf_counter)
    _elapsed_s: float = 0.0

    def start_epoch(self) -> None:
        """Steps follow."""
        self._steps, self._started_s = 0, time.perf_counter()

    def count_step(self) -> None:
        self._steps += 1
        self._elapsed_s = time.perf_counter() - self._started_s

    def log_epoch(self, number: int, **figures: float) -> None:
        """After an epoch: its figures, steps a second while there were any, the most memory so far."""
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
    """What it computes on, by name."""
    if torch.cuda.is_available():
        return f"{torch.cuda.get_device_name()}, mixed precision"
    return f"processor, {torch.get_num_threads()} threads"


def peak_memory_mb() -> float:
    """Of the card where there is one, else of this process."""
    if torch.cuda.is_available():
        return float(torch.cuda.max_memory_allocated()) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# MERGED: A request to leave (SIGTERM: a stop, or spot capacity taken back), noticed between two steps.


class TrainingInterrupted(VigilError):
    """Learning was asked to stop and has left a checkpoint; the next run goes on from there."""


class StopSignal:
    """Whether a request to leave has come."""

    def __init__(self) -> None:
        self.received = False

    def install(self) -> None:
        """From now on SIGTERM only sets the flag."""
        signal.signal(signal.SIGTERM, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - what a handler is given
        self.received = True


# MERGED: Where learning stands, in a file that is whole or not there.

CHECKPOINT_FILE = "checkpoint.pt"
DIGEST_BYTES = 32
"""Bytes of the content's hash, before the content."""


@dataclass(slots=True)
class TrainingCheckpoint:
    """Where learning stands: between two steps, exactly.

    step   of the epoch that is next
    best   score and negated loss of the best epoch so far
    stale  epochs since then
    loss   sum over this epoch's steps so far
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
    """Replace the checkpoint: a kill at any moment leaves the old one or the new one."""
    folder.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    torch.save({name: getattr(checkpoint, name) for name in CHECKPOINT_FIELDS}, buffer)
    temporary = folder / f"{CHECKPOINT_FILE}.new"
    temporary.write_bytes(hashlib.sha256(buffer.getvalue()).digest() + buffer.getvalue())
    temporary.replace(folder / CHECKPOINT_FILE)


def load_checkpoint(folder: Path, key: str) -> TrainingCheckpoint | None:
    """The standing of the same job; None where there is none, a damaged one, or another job's."""
    path = folder / CHECKPOINT_FILE
    data = path.read_bytes() if path.is_file() else b""
    if len(data) <= DIGEST_BYTES or hashlib.sha256(data[DIGEST_BYTES:]).digest() != data[:DIGEST_BYTES]:
        return None
    values = torch.load(io.BytesIO(data[DIGEST_BYTES:]), map_location="cpu", weights_only=True)
    return TrainingCheckpoint(**values) if values["key"] == key else None


# MERGED: The processes that learn together: one a GPU, on one or more hosts, or just this one.

RENDEZVOUS_PORT = 29500


@dataclass(frozen=True, slots=True)
class TrainingGroup:
    """This process's place among them, and what it computes on."""

    rank: int
    size: int
    device: torch.device

    @property
    def is_leader(self) -> bool:
        """One process tells, saves and exports for all."""
        return self.rank == 0

    def wrap(self, module: nn.Module) -> nn.Module:
        """The module, its gradients averaged over the crew."""
        if self.size == 1:
            return module
        devices = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(module, device_ids=devices)

    def any_process(self, flag: bool) -> bool:
        """Whether it holds for anyone: all leave together, or those who stay would wait for ever."""
        if self.size == 1:
            return flag
        flags = torch.tensor([float(flag)], device=self.device)
        distributed.all_reduce(flags, distributed.ReduceOp.MAX)
        return bool(flags.item())

    def broadcast_from_leader(self, *figures: float) -> tuple[float, ...]:
        """What the leader measured: figures that differ in the last digit would part the crew."""
        if self.size == 1:
            return figures
        values = torch.tensor(figures, device=self.device, dtype=torch.float64)
        distributed.broadcast(values, 0)
        return tuple(values.tolist())


@contextmanager
def training_group() -> Iterator[TrainingGroup]:
    """The crew that torchrun started, or a crew of one."""
    if not distributed.is_torchelastic_launched():
        yield TrainingGroup(0, 1, torch.device("cuda" if torch.cuda.is_available() else "cpu"))
        return
    device = _process_device()
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield TrainingGroup(distributed.get_rank(), distributed.get_world_size(), device)
    finally:
        distributed.destroy_process_group()


def needs_launch(hosts: int, processes: int) -> bool:
    """Whether this process is the first of its host and has a crew to start."""
    return hosts * processes > 1 and is_host_launcher()


def is_host_launcher() -> bool:
    """Whether the job began with this process, and torchrun did not start it."""
    return not distributed.is_torchelastic_launched()


def launch(hosts: tuple[str, ...], current: str, *, processes: int, command: list[str]) -> None:
    """Start this host's processes and wait for them; the first host is where all meet.

    A SIGTERM is passed on to them, and once they have left their checkpoint it is no failure here either.
    """
    node_options = [
        f"--nnodes={len(hosts)}",
        f"--node-rank={hosts.index(current)}",
        f"--nproc-per-node={processes}",
    ]
    rendezvous_options = (
        ["--standalone"]
        if len(hosts) == 1
        else [f"--master-addr={hosts[0]}", f"--master-port={RENDEZVOUS_PORT}"]
    )
    try:
        torchrun.main([*node_options, *rendezvous_options, *command])
    except SignalException as passed:
        if passed.sigval != signal.SIGTERM:
            raise


def _process_device() -> torch.device:
    if not torch.cuda.is_available():
        return torch.device("cpu")
    device = torch.device("cuda", distributed.get_node_local_rank())
    torch.cuda.set_device(device)
    return device


# MERGED: The loop: steps, epochs, early stopping; on one processor or many, and on from where it was
#   killed. / Every step draws its chance from the seed, the epoch and its own number. So a run that was
#   interrupted goes / through the very steps that it would have gone through, and ends with the same
#   weights.

MIN_RATE_SHARE = 0.05
"""Share of the learning rate that is left at the last epoch."""


class Learner(Protocol):
    """What is learned. `module` turns inputs and truth into a loss."""

    module: nn.Module

    def __len__(self) -> int:
        """Items to learn from."""

    def parameter_groups(self) -> list[tuple[list[nn.Parameter], float]]:
        """What is learned, in groups, each with its share of the learning rate."""

    def batch(self, items: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs and truth of these items, on the device, varied at random."""

    def validate(self) -> tuple[float, float]:
        """Loss and score on the validation split; a higher score is better."""


class Trainer:
    """One learner on its way."""

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
        """Learn until plan or patience ends; the module is left with its best weights. Raises Interrupted."""
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
        """End an epoch, leave a checkpoint, and only then tell of it."""
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
        """Is it the best so far? What there was before the first step counts too."""
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
        """This process's share of each batch, in the epoch's order; each process has as many."""
        generator = torch.Generator().manual_seed(hash((self._settings.seed, self._checkpoint.epoch)) % 2**63)
        order = torch.randperm(len(self._learner), generator=generator)
        evenly_divisible = order[: len(order) // self._group.size * self._group.size]
        share = evenly_divisible[self._group.rank :: self._group.size]
        yield from share.split(max(1, self._settings.batch_size // self._group.size))


def _copy_state(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().cpu().clone() for name, value in module.state_dict().items()}
