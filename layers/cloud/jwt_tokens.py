"""Verifies JWT bearer tokens with the keys that their issuer publishes."""

from typing import Any

import jwt

from vigil.access.roles import ALL_ROLES, Caller
from vigil.errors import Transient, VigilError

ALGORITHMS = ["RS256", "ES256", "EdDSA"]
"""Only asymmetric ones: this excludes `none`, and public keys that are used as shared secrets."""

KEY_CACHE_S = 300
LEEWAY_S = 60
"""By how much the clocks of the issuer and of AWS may differ."""


class NotYetValid(VigilError):
    """A token was issued in the future: the clock of its issuer is ahead of ours."""


class JwtVerifier:
    """Verifies tokens of one issuer for one audience; without an issuer it accepts none.

    Keys are cached for KEY_CACHE_S; a token with an unknown key id fetches them again, so that a rotation
    takes effect at once.

    role_claim       the claim with a role or a list of groups, of which the highest role counts
    sources_claim    the claim with patterns of sources, as a list or separated by spaces; a token without the
                     claim can access all sources, and one with a claim that is empty or of another type is
                     not valid
    galleries_claim  the same for galleries
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        jwks_url: str,
        role_claim: str,
        sources_claim: str,
        galleries_claim: str,
    ) -> None:
        self._issuer, self._audience = issuer, audience
        self._role_claim, self._bounds_claims = role_claim, (sources_claim, galleries_claim)
        self._keys = jwt.PyJWKClient(jwks_url, cache_jwk_set=True, lifespan=KEY_CACHE_S, timeout=3)

    def authenticate(self, header: str) -> Caller | None:
        """The caller of an `Authorization` header; None if the token is not valid.

        Raises NotYetValid if the clock of the issuer is ahead.
        """
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token or not self._issuer:
            return None
        try:
            claims = self._claims(token)
        except jwt.PyJWKClientConnectionError as error:
            raise Transient(str(error), dependency="issuer", operation="fetch keys") from error
        except jwt.ImmatureSignatureError as error:
            raise NotYetValid(
                f"the token is not valid yet: the clocks differ by more than {LEEWAY_S} s"
            ) from error
        except jwt.PyJWTError:
            return None
        role = _highest_role(claims.get(self._role_claim))
        if role is None or not isinstance(claims["sub"], str) or not claims["sub"]:
            return None
        bounds = [_string_list(claims[name]) if name in claims else None for name in self._bounds_claims]
        return None if () in bounds else Caller(claims["sub"], role, *bounds)

    def _claims(self, token: str) -> dict[str, Any]:
        claims: dict[str, Any] = jwt.decode(
            token,
            self._keys.get_signing_key_from_jwt(token),
            algorithms=ALGORITHMS,
            issuer=self._issuer,
            audience=self._audience,
            leeway=LEEWAY_S,
            options={"require": ["exp", "iat", "iss", "aud", "sub"]},
        )
        return claims


def _highest_role(claim: Any) -> Any:
    roles = [role for role in ALL_ROLES if role in _string_list(claim)]
    return roles[-1] if roles else None


def _string_list(claim: Any) -> tuple[str, ...]:
    """The words of a claim; none if any of them is empty or of another type."""
    words = claim.split() if isinstance(claim, str) else claim
    if not isinstance(words, list) or not all(isinstance(word, str) and word.strip() for word in words):
        return ()
    return tuple(words)
