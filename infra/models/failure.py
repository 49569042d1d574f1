"""The one error with which building models stops; its message is a sentence for the person at the terminal."""


class BuildFailure(Exception):
    """A model cannot be built, and why."""
