"""moto stores every posted upload form; AWS rejects a form that violates its policy; moto would have to check
the policy's expiration, conditions and size. Signatures are not checked here, as in the rest of moto.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import wraps
from typing import Any

from moto.s3.responses import S3Response

Refusal = tuple[int, str, str]
"""Status, code, message."""

_IMPLICIT_FIELDS = {"policy", "file", "x-amz-signature"}
"""Fields that need no condition in the policy."""


def patch_post_policy() -> None:
    """Check the policy of every upload form."""
    S3Response._bucket_response_post = _with_policy_check(S3Response._bucket_response_post)  # type: ignore[method-assign]


def _with_policy_check(post: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(post)
    def posted(self: S3Response, request: Any, bucket_name: str) -> Any:
        fields = {name.lower(): str(value) for name, value in self.form_data.items()}
        if "key" not in fields:
            return post(self, request, bucket_name)
        size = len(self.body if isinstance(self.body, bytes) else str(self.body).encode())
        refusal = check_form(fields | {"bucket": bucket_name}, size, datetime.now(UTC))
        if refusal is None:
            return post(self, request, bucket_name)
        status, code, message = refusal
        body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        return status, {"Content-Type": "application/xml"}, body

    return posted


def check_form(fields: Mapping[str, str], size: int, now: datetime) -> Refusal | None:
    """Return S3's refusal of a form with these fields (lower-case names) and file size, or None."""
    try:
        policy = json.loads(base64.b64decode(fields["policy"], validate=True))
    except (KeyError, ValueError):
        return 403, "AccessDenied", "The form has no valid policy."
    if datetime.fromisoformat(policy["expiration"]) < now:
        return 403, "AccessDenied", "Invalid according to Policy: Policy expired."
    conditions = list(map(_parse_condition, policy["conditions"]))
    allowed_fields = {name for _, name, _ in conditions} | _IMPLICIT_FIELDS
    violations = [f"Extra input fields: {name}" for name in sorted(fields.keys() - allowed_fields)]
    violations += [
        f"Policy Condition failed: {kind} {name}" for kind, name in _failed_conditions(conditions, fields)
    ]
    if violations:
        return 403, "AccessDenied", f"Invalid according to Policy: {violations[0]}"
    return _check_size(policy["conditions"], size)


def _parse_condition(condition: Any) -> tuple[str, str, Any]:
    """Return the kind, the field and the required value of a condition."""
    if isinstance(condition, dict):
        ((name, value),) = condition.items()
        return "eq", str(name).lower(), value
    kind, name, value = condition
    return str(kind), str(name).lstrip("$").lower(), value


def _failed_conditions(
    conditions: Iterable[tuple[str, str, Any]], fields: Mapping[str, str]
) -> Iterable[tuple[str, str]]:
    """Yield the conditions that do not hold, including those of unknown kinds."""
    for kind, name, value in conditions:
        if kind != "content-length-range" and (kind, fields.get(name)) != ("eq", value):
            yield kind, name


def _check_size(conditions: Iterable[Any], size: int) -> Refusal | None:
    for one in conditions:
        if isinstance(one, list) and one[0] == "content-length-range":
            if size < one[1]:
                return 400, "EntityTooSmall", f"at least {one[1]} bytes"
            if size > one[2]:
                return 400, "EntityTooLarge", f"at most {one[2]} bytes"
    return None
