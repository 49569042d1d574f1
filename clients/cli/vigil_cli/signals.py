"""Signals that end a command which otherwise runs on."""

import signal
import threading


def stopped_by_signal() -> threading.Event:
    """An event that Ctrl-C and SIGTERM set from now on."""
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    return stopped
