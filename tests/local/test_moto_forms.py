"""What S3 refuses of an upload form, the local cloud refuses too."""

from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.config import Config

from cloud.photos import Photos
from infra.local.moto_forms import refused

NOW = datetime.now(UTC)


def form(key: str = "live/faces/door/a.jpg") -> dict[str, str]:
    client = boto3.client(
        "s3",
        region_name="eu-west-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(signature_version="s3v4"),
    )
    signed = Photos(client, "photos").form(key, media="image/jpeg", most_bytes=1000, lasts_s=300)
    return {name.lower(): value for name, value in signed.fields.items()} | {"bucket": "photos"}


def test_a_form_that_is_as_it_was_signed_is_taken():
    assert refused(form(), 1000, NOW) is None


@pytest.mark.parametrize(
    ("changed", "size", "code"),
    [
        ({}, 1001, "EntityTooLarge"),
        ({}, 0, "EntityTooSmall"),
        ({"content-type": "text/html"}, 10, "AccessDenied"),
        ({"key": "live/faces/vault/a.jpg"}, 10, "AccessDenied"),
        ({"bucket": "store"}, 10, "AccessDenied"),
        ({"acl": "public-read"}, 10, "AccessDenied"),
        ({"policy": "none"}, 10, "AccessDenied"),
    ],
)
def test_a_form_that_was_changed_is_refused(changed: dict[str, str], size: int, code: str):
    told = refused(form() | changed, size, NOW)

    assert told is not None
    assert told[1] == code


def test_a_form_ends_with_its_time():
    told = refused(form(), 10, NOW + timedelta(hours=1))

    assert told is not None
    assert "expired" in told[2]
