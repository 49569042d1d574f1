"""The console is packaged where npm can be had, uploaded for CloudFront, and served with one policy."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from infra.deploy.console import sign_in_settings, upload_console
from infra.local.apigateway.documents import console_documents, content_security_policy
from infra.package.build import ROOT
from infra.package.console import SOURCES, SOURCES_PATH, build_console
from tests.infra.conftest import Template

ACCOUNT, BUCKET = "123456789012", "vigil-dev-console"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    console = tmp_path / "console"
    (console / "assets").mkdir(parents=True)
    (console / "index.html").write_text("<!doctype html>")
    (console / "assets" / "index-1a2b.js").write_text("1")
    return tmp_path


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[boto3.Session]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        session = boto3.Session(region_name="us-east-1")
        session.client("s3").create_bucket(Bucket=BUCKET)
        yield session


def test_without_npm_the_package_has_no_console_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    sources = tmp_path / SOURCES_PATH
    for name in SOURCES:
        source = ROOT / SOURCES_PATH / name
        copy = shutil.copytree if source.is_dir() else shutil.copyfile
        sources.mkdir(parents=True, exist_ok=True)
        copy(source, sources / name)
    outdated = tmp_path / "package" / "console"
    outdated.mkdir(parents=True)
    monkeypatch.setenv("PATH", "")
    messages: list[str] = []

    build_console(tmp_path, outdated, messages.append)

    assert messages == ["the package has no console: npm is not installed"]
    assert not outdated.exists()


def test_every_npm_package_is_locked_with_its_hash():
    locked = json.loads((ROOT / SOURCES_PATH / "package-lock.json").read_text())["packages"]

    assert len(locked) > 5
    assert [name for name, one in locked.items() if name and "integrity" not in one] == []


def test_scripts_stay_in_caches_and_the_page_that_names_them_is_checked_at_each_visit(
    package: Path, bucket: boto3.Session
):
    s3, outputs = bucket.client("s3"), {"ConsoleBucket": BUCKET, "TokenIssuer": "https://issuer.example"}

    assert upload_console(s3, package, outputs, account=ACCOUNT, client_id="console")

    stored = {one["Key"]: s3.head_object(Bucket=BUCKET, Key=one["Key"]) for one in _listed(s3)}
    assert {key: (one["ContentType"], one["CacheControl"]) for key, one in stored.items()} == {
        "assets/index-1a2b.js": ("text/javascript", "public, max-age=31536000, immutable"),
        "index.html": ("text/html", "no-cache"),
        "config.json": ("application/json", "no-cache"),
    }
    settings = json.loads(s3.get_object(Bucket=BUCKET, Key="config.json")["Body"].read())
    assert settings == {"sign_in": "oidc", "issuer": "https://issuer.example", "client_id": "console"}


def test_a_stack_without_a_console_gets_none(package: Path, bucket: boto3.Session):
    assert not upload_console(bucket.client("s3"), package, {}, account=ACCOUNT, client_id="")


def test_users_paste_a_token_unless_the_issuer_knows_the_console():
    assert sign_in_settings("https://issuer.example", "") == {"sign_in": "token"}


def test_cloudfront_and_the_local_gateway_send_the_same_policy(template: Template):
    headers = template["Resources"]["ConsoleHeaders"]["Properties"]["ResponseHeadersPolicyConfig"]
    policy = headers["SecurityHeadersConfig"]["ContentSecurityPolicy"]["ContentSecurityPolicy"]["Fn::Sub"]
    photos = "https://${PhotosBucket.DomainName} https://${PhotosBucket.RegionalDomainName}"

    assert policy.replace(" ${ConsoleSignInOrigins}", "") == content_security_policy(photos)
    assert "unsafe" not in policy


def test_the_local_gateway_serves_the_page_at_the_root(package: Path):
    documents = console_documents(package, "http://127.0.0.1:1")

    assert documents["/"].body == documents["/index.html"].body == b"<!doctype html>"
    assert documents["/assets/index-1a2b.js"].headers["Content-Type"] == "text/javascript"
    assert json.loads(documents["/config.json"].body) == {"sign_in": "local"}
    assert console_documents(package / "assets", "http://127.0.0.1:1") == {}


def _listed(s3: object) -> list[dict[str, str]]:
    found: list[dict[str, str]] = s3.list_objects_v2(Bucket=BUCKET)["Contents"]  # type: ignore[attr-defined]
    return found
