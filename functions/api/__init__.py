"""The HTTP API: handlers in `resources`, request and response models in `schemas`."""
