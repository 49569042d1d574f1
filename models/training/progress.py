"""One line an epoch to standard output, in the form that the job's metric expressions find."""

import resource
import sys
import time
from dataclasses import dataclass, field

import torch


@dataclass(slots=True)
class Progress:
    """Tells how learning goes. Quiet where another process of the same job tells it."""

    told: bool = True
    _steps: int = 0
    _since: float = field(default_factory=time.perf_counter)
    _took_s: float = 0.0

    def begin(self) -> None:
        """Steps follow."""
        self._steps, self._since = 0, time.perf_counter()

    def step(self) -> None:
        self._steps += 1
        self._took_s = time.perf_counter() - self._since

    def epoch(self, number: int, **figures: float) -> None:
        """After an epoch: its figures, steps a second while there were any, the most memory so far."""
        figures |= {"steps_per_s": self._steps / max(self._took_s, 1e-9), "peak_memory_mb": peak_memory_mb()}
        self.say(f"epoch={number}", **figures)

    def say(self, words: str, **figures: float) -> None:
        if self.told:
            fields = "".join(f" {name}={value:.6g}" for name, value in figures.items())
            sys.stdout.write(f"{words}{fields}\n")
            sys.stdout.flush()


def device() -> str:
    """What it computes on, by name."""
    if torch.cuda.is_available():
        return f"{torch.cuda.get_device_name()}, mixed precision"
    return f"processor, {torch.get_num_threads()} threads"


def peak_memory_mb() -> float:
    """Of the card where there is one, else of this process."""
    if torch.cuda.is_available():
        return float(torch.cuda.max_memory_allocated()) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
