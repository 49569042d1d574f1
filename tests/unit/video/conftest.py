"""Shared by the tests of clips."""

from pathlib import Path

PHOTOS = Path(__file__).parents[2] / "photos"
