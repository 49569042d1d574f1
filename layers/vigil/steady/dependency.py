"""Whose failure an error is, read from its kind and from what was being done."""

TRANSIENT = frozenset({"Transient", "Busy", "LeaseLost", "Overtaken"})
"""The kinds of error that time may mend."""

DEPENDENCIES = (
    ("read object", "photos"),
    ("read watch file", "store"),
    ("read gallery pointer", "people"),
    ("read gallery", "store"),
    ("claim", "records"),
    ("write", "records"),
    ("keep", "records"),
    ("read strangers", "records"),
    ("list", "records"),
    ("publish", "topic"),
)
"""How a Transient's message begins -> whose failure it is. The first that fits holds."""


def dependency(kind: str, message: str) -> str:
    """Whose failure a Transient is, by what was being done; anything else is the model's."""
    if kind not in TRANSIENT:
        return "model"
    return next((name for doing, name in DEPENDENCIES if message.startswith(doing)), "model")
