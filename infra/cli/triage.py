"""`vigil triage`: dead letters looked after now, instead of at the next tick."""

from infra.cli.deployment import Data, Stage, reached
from infra.cli.places import DATA
from infra.cli.running import run_now
from infra.cli.saying import out, table
from infra.cli.tables import coloured

WORDS = {
    "redriven": ("sent back", "done"),
    "quarantined": ("quarantined", "quarantined"),
    "discarded": ("put away", "done"),
    "waiting": ("waits", "warning"),
    "new_faults": ("new fault", "critical"),
}
"""Each deed of triage as a person says it, and the state whose colour it has."""


def triage(stage: Stage = "", data: Data = DATA) -> None:
    """Look after the dead letters now: what was done with how many, and why.

    Example: ./vigil triage
    """
    told = run_now(reached(stage, data), "Triage")
    made = table("Triage", "done", ">letters", "why")
    for reason, letters in told["reasons"].items():
        deed, _, why = reason.partition(": ")
        word, like = WORDS[deed]
        made.add_row(coloured(word, like), str(letters), why)
    out.print(made if told["reasons"] else "no dead letters")
    if told["retold"]:
        out.print(f"told again: the outcomes of {told['retold']} gaps")
