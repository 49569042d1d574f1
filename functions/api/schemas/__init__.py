"""Pydantic models of requests and responses; they validate requests and describe them in OpenAPI."""
