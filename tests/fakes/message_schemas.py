"""The documented JSON Schemas of messages, ready for validation."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

FOLDER = Path(__file__).parents[2] / "docs" / "schemas"


@cache
def schema(name: str) -> Draft202012Validator:
    loaded = json.loads((FOLDER / f"{name}.json").read_text())
    Draft202012Validator.check_schema(loaded)
    return Draft202012Validator(loaded, format_checker=Draft202012Validator.FORMAT_CHECKER)


def assert_matches_schema(name: str, message: Any) -> None:
    """Validate a message. Raises jsonschema.ValidationError with the path."""
    schema(name).validate(message)


EVENT_SCHEMAS = {
    "vigil.drop.done": "drop-ended",
    "vigil.drop.rejected": "drop-ended",
    "vigil.drop.quarantined": "drop-ended",
    "vigil.alert.raised": "alert-raised",
    "vigil.release.registered": "release-moved",
    "vigil.release.shadow": "release-moved",
    "vigil.release.canary": "release-moved",
    "vigil.release.active": "release-moved",
    "vigil.release.retired": "release-moved",
    "vigil.release.rejected": "release-moved",
    "vigil.release.rolled-back": "release-moved",
}
