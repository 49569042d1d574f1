"""The one error with which building models stops; its message is a sentence for whoever runs it."""


class BuildFailure(Exception):
    """A model cannot be built, and why."""
