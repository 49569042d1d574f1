"""What can be wrong with a training job; each message is what its failure file says."""

from vigil.errors import VigilError


class InvalidRecipe(VigilError):
    """The recipe or the job's settings ask for something that there is not."""


class InvalidTrainingData(VigilError):
    """A channel lacks what the task needs, or holds something else."""


class UnsupportedNetwork(VigilError):
    """A network uses an operation that cannot be trained here."""


class ExportMismatch(VigilError):
    """The exported network does not give what the trained one gave."""
