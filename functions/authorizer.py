"""A bearer token → who it is, which role and which sources; or Unauthorized."""

from chalice import Blueprint
from chalice.app import AuthRequest, AuthResponse

from functions.runtime.container import container

trigger = Blueprint(__name__)

AUTHORIZATION_TTL_S = 60
"""API Gateway asks again after so long: a role taken away is gone within a minute."""


class Unauthorized(Exception):
    """API Gateway's word for 401 is an error with exactly this message."""


@trigger.authorizer(name="authorizer", ttl_seconds=AUTHORIZATION_TTL_S)
def on_token(request: AuthRequest) -> AuthResponse:
    """Let in whoever's token is good; what the role may do is each operation's to say.

    The answer is remembered for all routes, so it must not depend on the one that was asked for.
    """
    caller = container().token_verifier.authenticate(request.token)
    if caller is None:
        raise Unauthorized("Unauthorized")
    context = {"role": caller.role, "sources": " ".join(caller.sources)}
    return AuthResponse(routes=["*"], principal_id=caller.id, context=context)
