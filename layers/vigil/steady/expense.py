"""What Lambda takes for a batch: an estimate by list prices, for people who watch what a drop costs."""

GB_SECOND_USD, REQUEST_USD = 0.0000166667, 0.0000002
"""Of Lambda on x86 in most regions, without discounts: set yours."""


def batch_usd(seconds: float, memory_mb: int) -> float:
    """One invocation of so many seconds by a function of so much memory."""
    return seconds * memory_mb / 1024 * GB_SECOND_USD + REQUEST_USD
