"""The container's entry point as a process of this machine, in the training environment."""

from __future__ import annotations

import subprocess
from pathlib import Path

from infra.local.nursery import Nursery
from infra.local.training.jobs import NoContainer
from infra.trainer.environment import ENTRY, ROOT, NoTrainer, environment, trainer_python


def container(nursery: Nursery, root: Path, output: int) -> subprocess.Popen[bytes]:
    """Starts what the image's ENTRYPOINT starts. Raises NoContainer."""
    try:
        python = trainer_python()
    except NoTrainer as error:
        raise NoContainer(str(error)) from error
    # One thread: several wait for one another by spinning, and the cloud needs the other cores.
    return nursery.start(
        [ENTRY, "--root", str(root), "--threads", "1"],
        python=[str(python)],
        environment=environment(),
        folder=ROOT,
        output=output,
    )
