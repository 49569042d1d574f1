"""Uploads the files of the console to its bucket, and the settings that tell it how users sign in."""

import json
import mimetypes
from collections.abc import Mapping
from pathlib import Path
from typing import Any

BUCKET_OUTPUT = "ConsoleBucket"
_UNCHANGED_FOREVER = "public, max-age=31536000, immutable"
_ALWAYS_CHECKED = "no-cache"


def upload_console(
    s3: Any, folder: Path, outputs: Mapping[str, str], *, account: str, client_id: str
) -> bool:
    """Upload the console of a package; False without one, or if the stack serves none.

    The names of scripts and styles contain their hashes, so they are uploaded before the page that names
    them and stay in caches; the page and the settings are checked at each visit.
    """
    bucket, console = outputs.get(BUCKET_OUTPUT), folder / "console"
    if bucket is None or not console.is_dir():
        return False
    files = [path for path in sorted(console.rglob("*")) if path.is_file()]
    files.sort(key=lambda path: path.name == "index.html")
    for path in files:
        key = path.relative_to(console).as_posix()
        _put(s3, bucket, key, path.read_bytes(), account=account)
    settings = sign_in_settings(outputs.get("TokenIssuer", ""), client_id)
    _put(s3, bucket, "config.json", json.dumps(settings).encode(), account=account)
    return True


def sign_in_settings(issuer: str, client_id: str) -> dict[str, str]:
    """The console's config.json: sign-in at the issuer's page, or by a token that the user pastes."""
    if not issuer or not client_id:
        return {"sign_in": "token"}
    return {"sign_in": "oidc", "issuer": issuer, "client_id": client_id}


def _put(s3: Any, bucket: str, key: str, body: bytes, *, account: str) -> None:
    s3.put_object(
        Bucket=bucket,
        Key=key,
        Body=body,
        ContentType=mimetypes.guess_type(key)[0] or "application/octet-stream",
        CacheControl=_UNCHANGED_FOREVER if key.startswith("assets/") else _ALWAYS_CHECKED,
        ExpectedBucketOwner=account,
    )
