"""The processes that learn together: one a GPU, on one or more hosts, or just this one."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed, nn
from torch.distributed import run as torchrun
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.nn.parallel import DistributedDataParallel

PORT = 29500


@dataclass(frozen=True, slots=True)
class Crew:
    """This process's place among them, and what it computes on."""

    rank: int
    size: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """One process tells, saves and exports for all."""
        return self.rank == 0

    def join(self, module: nn.Module) -> nn.Module:
        """The module, its gradients averaged over the crew."""
        if self.size == 1:
            return module
        devices = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(module, device_ids=devices)

    def any(self, flag: bool) -> bool:
        """Whether it holds for anyone: all leave together, or those who stay would wait for ever."""
        if self.size == 1:
            return flag
        told = torch.tensor([float(flag)], device=self.device)
        distributed.all_reduce(told, distributed.ReduceOp.MAX)
        return bool(told.item())

    def agree(self, *figures: float) -> tuple[float, ...]:
        """What the leader measured: figures that differ in the last digit would part the crew."""
        if self.size == 1:
            return figures
        told = torch.tensor(figures, device=self.device, dtype=torch.float64)
        distributed.broadcast(told, 0)
        return tuple(told.tolist())


@contextmanager
def gathered() -> Iterator[Crew]:
    """The crew that torchrun started, or a crew of one."""
    if not distributed.is_torchelastic_launched():
        yield Crew(0, 1, torch.device("cuda" if torch.cuda.is_available() else "cpu"))
        return
    device = _device()
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Crew(distributed.get_rank(), distributed.get_world_size(), device)
    finally:
        distributed.destroy_process_group()


def must_launch(hosts: int, processes: int) -> bool:
    """Whether this process is the first of its host and has a crew to start."""
    return hosts * processes > 1 and leads_host()


def leads_host() -> bool:
    """Whether the job began with this process, and torchrun did not start it."""
    return not distributed.is_torchelastic_launched()


def launch(hosts: tuple[str, ...], current: str, *, processes: int, command: list[str]) -> None:
    """Start this host's processes and wait for them; the first host is where all meet.

    A SIGTERM is passed on to them, and once they have left their checkpoint it is no failure here either.
    """
    where = [f"--nnodes={len(hosts)}", f"--node-rank={hosts.index(current)}", f"--nproc-per-node={processes}"]
    meet = ["--standalone"] if len(hosts) == 1 else [f"--master-addr={hosts[0]}", f"--master-port={PORT}"]
    try:
        torchrun.main([*where, *meet, *command])
    except SignalException as passed:
        if passed.sigval != signal.SIGTERM:
            raise


def _device() -> torch.device:
    if not torch.cuda.is_available():
        return torch.device("cpu")
    device = torch.device("cuda", distributed.get_node_local_rank())
    torch.cuda.set_device(device)
    return device
