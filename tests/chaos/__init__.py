"""The whole system under injected faults: nothing is lost or processed twice, and it recovers by itself."""
