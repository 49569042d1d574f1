"""The core: use cases and domain rules without AWS, Chalice, environment variables and wire formats."""

__version__ = "0.2.0"
