"""Handlers of the API, one module for each resource; `@operation` registers them."""
