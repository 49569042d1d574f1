"""Trains the bundled models that are made here, from public data, with one command each."""
