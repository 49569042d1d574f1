"""Whose failure an error is, read from its kind and from what was being done."""

TRANSIENT = "Transient"
"""The kind of every error that time may mend: records keep its family's name, not its own."""

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
    if kind != TRANSIENT:
        return "model"
    return next((name for doing, name in DEPENDENCIES if message.startswith(doing)), "model")
