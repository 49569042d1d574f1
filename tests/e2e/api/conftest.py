"""The packaged system with its API, started once for all tests of this folder."""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import urllib3

from infra.local.cloud import Cloud
from infra.package import package
from tests.deployment import Deployment, local_deployment

PHOTOS = Path(__file__).parents[2] / "photos"
ROOT = Path(__file__).resolve().parents[3]
WAIT_S = 120.0
ORIGIN = "https://console.example"
"""The configured origin for CORS."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Site:
    """The running system; `request` sends plain HTTP, without a client in between."""

    running: Cloud
    data: Path
    http: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(maxsize=64, retries=False))
    tokens: dict[tuple[str, ...], str] = field(default_factory=dict)

    @cached_property
    def url(self) -> str:
        return str(self.running.outputs["EndpointURL"])

    @cached_property
    def cloud(self) -> Deployment:
        return local_deployment(self.running.environment, self.running.outputs)

    def token(self, role: str, *sources: str, subject: str = "") -> str:
        key = (role, subject, *sources)
        if key not in self.tokens:
            self.tokens[key] = self.running.issue_token(role, subject=subject, sources=sources or None)
        return self.tokens[key]

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        role: str = "admin",
        token: str | None = None,
        media: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        sent = {"Authorization": f"Bearer {self.token(role) if token is None else token}"}
        sent |= {"Content-Type": media} if body is not None else {}
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        answer = self.http.request(method, self.url + path, body=data, headers={**sent, **(headers or {})})
        return Answer(answer.status, answer.headers, answer.data.decode())

    def upload_drop(self, photo: bytes, source: str = "door-3") -> dict[str, Any]:
        """Upload a photo with a form and return its drop when it has ended."""
        form = self.request("POST", "/v1/uploads", {"source": source}).json
        fields = {**form["fields"], "file": ("photo.jpg", photo, "image/jpeg")}
        assert self.http.request("POST", form["url"], fields=fields).status < 300
        drop = self.request("GET", f"/v1/uploads/{form['id']}?wait=20").json["drop"]
        ended: dict[str, Any] = self.request("GET", f"/v1/drops/{drop}?wait=20").json
        return ended

    def enrol_person(self, name: str, photo: str) -> str:
        """Enrol a person with one photo and return the id."""
        person = str(self.request("POST", "/v1/people", {"name": name}).json["id"])
        response = self.request(
            "POST", f"/v1/people/{person}/photos", (PHOTOS / photo).read_bytes(), media="image/jpeg"
        )
        assert response.status == 201, response.text
        return person


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    data = tmp_path_factory.mktemp("api")
    parameters = {"Stage": "api", "CallsPerMinute": "1000000", "PredictConcurrency": "2"}
    parameters |= {"CorsOrigin": ORIGIN}
    with Cloud(package=package("local"), data=data, parameters=parameters, max_workers=14) as running:
        yield Site(running, data)


def wait_for_reload() -> None:
    """Wait until the lanes have loaded the new gallery or rules, which they check every two seconds."""
    time.sleep(2.1)


@pytest.fixture
def rules(site: Site) -> Iterator[str]:
    """The current rules, which are restored after the test."""
    before = str(site.request("GET", "/v1/rules").json["toml"])
    yield before
    if site.request("GET", "/v1/rules").json["toml"] != before:
        site.request("PUT", "/v1/rules", {"toml": before})
        wait_for_reload()


@pytest.fixture(scope="session")
def biden(site: Site) -> str:
    """An enrolled person on the watch list."""
    person = site.enrol_person("Joe", "biden.jpg")
    site.request("PUT", f"/v1/people/{person}/watch")
    wait_for_reload()
    return person


@pytest.fixture(scope="session")
def alert(site: Site, biden: str) -> dict[str, Any]:
    """An alert about this person."""
    drop = site.upload_drop((PHOTOS / "biden.jpg").read_bytes(), "gate-1")
    alerts = site.request("GET", "/v1/alerts?source=gate-1").json["items"]
    found: dict[str, Any] = next(one for one in alerts if one["drop"] == drop["id"])
    return found
