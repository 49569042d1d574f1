"""Errors of a training job; the message becomes the content of the failure file."""

from vigil.errors import VigilError


class InvalidRecipe(VigilError):
    """The recipe or a hyperparameter is invalid."""


class InvalidTrainingData(VigilError):
    """A channel lacks what the task needs or has other content."""


class UnsupportedNetwork(VigilError):
    """A network has an operation that cannot be trained."""


class ExportMismatch(VigilError):
    """The outputs of the exported network differ from those of the trained one."""
