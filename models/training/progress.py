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

    def step(self) -> None:
        self._steps += 1

    def epoch(self, number: int, **figures: float) -> None:
        """End an epoch: its figures, steps a second and the most memory so far."""
        elapsed = max(time.perf_counter() - self._since, 1e-9)
        figures |= {"steps_per_s": self._steps / elapsed, "peak_memory_mb": peak_memory_mb()}
        self.say(f"epoch={number}", **figures)
        self._steps, self._since = 0, time.perf_counter()

    def say(self, words: str, **figures: float) -> None:
        if self.told:
            fields = "".join(f" {name}={value:.6g}" for name, value in figures.items())
            sys.stdout.write(f"{words}{fields}\n")
            sys.stdout.flush()


def peak_memory_mb() -> float:
    """Of the card where there is one, else of this process."""
    if torch.cuda.is_available():
        return float(torch.cuda.max_memory_allocated()) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
