"""Where models are read from and built to."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CARDS = ROOT / "models"
BUILD = ROOT / "build"
RELEASES = BUILD / "models"
PHOTOS = BUILD / "photos"
CACHE = BUILD / "cache"
