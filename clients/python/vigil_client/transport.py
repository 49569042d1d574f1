"""HTTP requests to the API: timeouts, retries, and an idempotency key that makes retries safe."""

import io
import json
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeVar
from urllib.parse import urlencode

import urllib3

from vigil_client.problems import ApiUnreachable, problem_from_response

Result = TypeVar("Result")
Token = str | Callable[[], str]
"""A bearer token, or a function that returns a valid one."""

OnProgress = Callable[[int], None]
"""Called with the bytes of a file that are sent so far."""

RETRIED_STATUSES = (429, 502, 503, 504)


class Transport:
    """Sends requests; retries connection failures and 429, 502, 503, 504, and obeys Retry-After."""

    def __init__(self, url: str, token: Token, *, timeout_s: float, retries: int) -> None:
        if not url.startswith(("https://", "http://")):
            raise ApiUnreachable(f"{url!r} is no address of an API: it begins with https:// or http://")
        self._url, self._token = url.rstrip("/"), token
        retry_policy = urllib3.Retry(
            total=retries,
            status_forcelist=RETRIED_STATUSES,
            allowed_methods=None,
            backoff_factor=0.5,
            raise_on_status=False,
            respect_retry_after_header=True,
        )
        timeouts = urllib3.Timeout(connect=5.0, read=timeout_s)
        self._http = urllib3.PoolManager(retries=retry_policy, timeout=timeouts)

    def request(
        self,
        result_type: type[Result],  # noqa: ARG002 - binds the type variable
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | bytes | None = None,
        media: str = "application/json",
    ) -> Result:
        """The response's JSON as a value of the type. Raises Problem, ApiUnreachable."""
        result: Result = self.send(method, path, query=query, body=body, media=media)
        return result

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | bytes | None = None,
        media: str = "application/json",
    ) -> Any:
        """The response's JSON, None without a body. Raises Problem, ApiUnreachable."""
        parameters = {name: value for name, value in (query or {}).items() if value is not None}
        address = f"{self._url}{path}" + (f"?{urlencode(parameters, doseq=True)}" if parameters else "")
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        response = self._exchange(method, address, body=data, headers=self._headers(method, body, media))
        content = _parse_json(response)
        if response.status >= 400:
            raise problem_from_response(response.status, content)
        if response.data and content is None:
            raise ApiUnreachable(f"{self._url} answers, but not with JSON: is it the address of the API?")
        return content

    def get_image(self, link: str) -> bytes:
        """The image behind a signed link, which needs no token. Raises Problem, ApiUnreachable."""
        response = self._exchange("GET", link, headers={"Accept": "image/jpeg"})
        if response.status >= 400:
            raise problem_from_response(response.status, _parse_json(response))
        return bytes(response.data)

    def post_form(
        self, url: str, fields: Mapping[str, str], file: Path, media: str, on_progress: OnProgress
    ) -> None:
        """Upload a file, piece by piece, with a form of S3. Raises OSError, Problem, ApiUnreachable."""
        with file.open("rb") as opened:
            form = _FormBody(fields, opened, media, on_progress)
            headers = {"Content-Type": form.content_type, "Content-Length": str(form.size)}
            response = self._exchange("POST", url, body=form, headers=headers)
        if response.status >= 400:
            raise problem_from_response(
                response.status,
                {"title": "Upload rejected", "detail": response.data.decode(errors="replace")},
            )

    def _exchange(self, method: str, address: str, **request: Any) -> urllib3.BaseHTTPResponse:
        """The response, after retries. Raises ApiUnreachable."""
        try:
            return self._http.request(method, address, **request)
        except urllib3.exceptions.HTTPError as error:
            cause = getattr(error, "reason", None) or error
            raise ApiUnreachable(f"{self._url} does not answer: {cause}") from error

    def _headers(self, method: str, body: object, media: str) -> dict[str, str]:
        token = self._token if isinstance(self._token, str) else self._token()
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        headers |= {"Content-Type": media} if body is not None else {}
        return headers | ({} if method == "GET" else {"Idempotency-Key": uuid.uuid4().hex})


class _FormBody:
    """A multipart form whose last field is a file, read as it is sent and again for a retry."""

    def __init__(
        self, fields: Mapping[str, str], file: BinaryIO, media: str, on_progress: OnProgress
    ) -> None:
        empty, self.content_type = urllib3.encode_multipart_formdata({**fields, "file": ("file", b"", media)})
        end = len(f"\r\n--{self.content_type.rpartition('=')[2]}--\r\n")
        self._head, self._tail = io.BytesIO(empty[:-end]), io.BytesIO(empty[-end:])
        self._file, self._on_progress = file, on_progress
        self.size = len(empty) + file.seek(0, io.SEEK_END)
        self.seek(0)

    def read(self, size: int = -1) -> bytes:
        for part in (self._head, self._file, self._tail):
            if data := part.read(size):
                self._on_progress(self._file.tell())
                return data
        return b""

    def tell(self) -> int:
        return self._head.tell() + self._file.tell() + self._tail.tell()

    def seek(self, _: int) -> None:
        """To the beginning, where every retry starts."""
        for part in (self._head, self._file, self._tail):
            part.seek(0)


def _parse_json(response: urllib3.BaseHTTPResponse) -> Any:
    """None without a body, and if it is not JSON."""
    try:
        return json.loads(response.data) if response.data else None
    except ValueError:
        return None
