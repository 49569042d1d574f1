"""What can stop a deployment; every message is a sentence that a person can act on."""


class DeployError(Exception):
    """The deployment stopped; where AWS had begun to change the stack, it has rolled back."""
