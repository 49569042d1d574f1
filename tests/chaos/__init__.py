"""The whole system under faults, on purpose: nothing lost, nothing done twice, all mended by itself."""
