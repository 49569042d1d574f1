"""Writes down what the API says of itself: docs/openapi.json, and the shapes of the Python client."""
