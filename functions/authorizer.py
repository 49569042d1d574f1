"""A bearer token → the caller's id, role, sources and galleries; or Unauthorized."""

import json

from chalice import Blueprint
from chalice.app import AuthRequest, AuthResponse

from functions.runtime.container import container

trigger = Blueprint(__name__)

AUTHORIZATION_TTL_S = 60
"""API Gateway caches the answer for this time: a revoked role ends within a minute."""


class Unauthorized(Exception):
    """API Gateway answers 401 for an error with exactly this message."""


@trigger.authorizer(name="authorizer", ttl_seconds=AUTHORIZATION_TTL_S)
def on_token(request: AuthRequest) -> AuthResponse:
    """Accept valid tokens; each operation checks the role itself.

    API Gateway caches the answer for all routes, so it must not depend on the requested route.
    """
    from cloud.jwt_tokens import NotYetValid  # noqa: PLC0415 - loads cryptography

    try:
        caller = container().token_verifier.authenticate(request.token)
    except NotYetValid as error:
        # API Gateway's own 401 has a fixed text: the API refuses the request and says that it is the clock.
        return AuthResponse(routes=["*"], principal_id="", context={"refusal": str(error)})
    if caller is None:
        raise Unauthorized("Unauthorized")
    bounds = {"sources": json.dumps(caller.sources), "galleries": json.dumps(caller.galleries)}
    context = {"role": caller.role, **bounds}
    return AuthResponse(routes=["*"], principal_id=caller.id, context=context)
