"""The files that are written from the API's operations, and what must stand in each."""

import json
from pathlib import Path

from functions.api.openapi import document
from functions.api.routes import DESCRIBED
from infra.describe.shapes import module

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "openapi.json"
SHAPES = ROOT / "clients" / "python" / "vigil_client" / "shapes.py"


def written() -> dict[Path, str]:
    """Each file's text."""
    told = document(DESCRIBED)
    text = json.dumps(told, indent=2, ensure_ascii=False) + "\n"
    return {DOCUMENT: text, SHAPES: module(told["components"]["schemas"])}
