"""A local cloud that runs the packaged functions on moto with AWS's Python runtime."""
