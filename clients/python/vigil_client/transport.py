"""One HTTP request to the API and its answer: time-outs, retries, and a key that makes retrying safe."""

import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import urllib3

from vigil_client.problems import problem_from_response

Token = str | Callable[[], str]
"""A bearer token, or what makes one anew when it is needed."""

_RETRIED_STATUSES = (429, 502, 503, 504)


class Transport:
    """Asks again where that may help: connection failures and 429, 502, 503, 504, as Retry-After says."""

    def __init__(self, url: str, token: Token, *, timeout_s: float, retries: int) -> None:
        self._url, self._token = url.rstrip("/"), token
        retry_policy = urllib3.Retry(
            total=retries,
            status_forcelist=_RETRIED_STATUSES,
            allowed_methods=None,
            backoff_factor=0.5,
            raise_on_status=False,
            respect_retry_after_header=True,
        )
        timeouts = urllib3.Timeout(connect=5.0, read=timeout_s)
        self._http = urllib3.PoolManager(retries=retry_policy, timeout=timeouts)

    def request_json(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | bytes | None = None,
        media: str = "application/json",
    ) -> Any:
        """The answer's JSON, None where it has none. Raises Problem."""
        parameters = {name: value for name, value in (query or {}).items() if value is not None}
        address = f"{self._url}{path}" + (f"?{urlencode(parameters, doseq=True)}" if parameters else "")
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        response = self._http.request(method, address, body=data, headers=self._headers(method, body, media))
        content = json.loads(response.data) if response.data else None
        if response.status >= 400:
            raise problem_from_response(response.status, content)
        return content

    def get_image(self, link: str) -> bytes:
        """What is behind a link that needs no token. Raises Problem."""
        response = self._http.request("GET", link, headers={"Accept": "image/jpeg"})
        if response.status >= 400:
            raise problem_from_response(response.status, json.loads(response.data))
        return bytes(response.data)

    def post_form(self, url: str, fields: Mapping[str, str], file: tuple[str, bytes, str]) -> None:
        """A file into an upload form."""
        response = self._http.request("POST", url, fields={**fields, "file": file})
        if response.status >= 400:
            raise problem_from_response(
                response.status, {"title": "the upload was refused", "detail": response.data.decode()}
            )

    def _headers(self, method: str, body: object, media: str) -> dict[str, str]:
        token = self._token if isinstance(self._token, str) else self._token()
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        headers |= {"Content-Type": media} if body is not None else {}
        return headers | ({} if method == "GET" else {"Idempotency-Key": uuid.uuid4().hex})
