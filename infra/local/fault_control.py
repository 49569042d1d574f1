"""Switches faults on and off in both of the cloud's processes, and counts what happened in them."""

from __future__ import annotations

import dataclasses

from infra.local.faults import Faults, Trouble
from infra.local.moto_server import MotoServer


class FaultControl:
    """What is asked of AWS fails in moto's process; what befalls workers is decided in ours."""

    def __init__(self, moto: MotoServer, trouble: Trouble) -> None:
        self._moto = moto
        self._trouble = trouble

    def begin(self, faults: Faults) -> None:
        """From now on these go wrong, and no others, until `end`."""
        self._moto.do("begin-faults", dataclasses.asdict(faults))
        self._trouble.begin(faults)

    def end(self) -> None:
        """Nothing goes wrong any more; what is on its way to go wrong may still do so."""
        self._moto.do("end-faults")
        self._trouble.end()

    @property
    def so_far(self) -> dict[str, int]:
        """How often each fault has happened."""
        return {**self._moto.do("happened"), **self._trouble.happened}
