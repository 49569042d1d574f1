"""The HTTP API: one module a resource, each operation as data, served and described by the same list."""
