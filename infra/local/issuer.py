"""The token issuer of a local cloud: its key, its key set (JWKS) and the tokens that it signs."""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from infra.local.discovery import ISSUER_FILE
from vigil.access.roles import ROLES

JWKS_PATH = "/.well-known/jwks.json"
SAVED_TOKEN_LIFETIME_S = 365 * 86_400.0
"""Each start issues them anew, with the key that stays in the data folder."""

_ALGORITHM = "ES256"


@dataclass(frozen=True, slots=True)
class Issuer:
    """Signs tokens; `url` is the issuer's name and the base URL of its key set."""

    url: str
    audience: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    key_id: str = field(default_factory=lambda: secrets.token_hex(8))

    def jwks(self) -> bytes:
        """Return the key set."""
        public: dict[str, Any] = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key()))
        return json.dumps({"keys": [public | {"kid": self.key_id, "use": "sig", "alg": _ALGORITHM}]}).encode()

    def issue_token(
        self,
        role: str,
        *,
        subject: str,
        sources: Sequence[str] | None = None,
        galleries: Sequence[str] | None = None,
        lifetime_s: float = 3600.0,
    ) -> str:
        """Return a bearer token for a role; without `sources` for all, and in the same way for galleries."""
        now = time.time()
        claims: dict[str, Any] = {
            "iss": self.url,
            "aud": self.audience,
            "sub": subject,
            "iat": int(now),
            "exp": int(now + lifetime_s),
            "vigil_role": role,
        }
        claims |= {"vigil_sources": list(sources)} if sources is not None else {}
        claims |= {"vigil_galleries": list(galleries)} if galleries is not None else {}
        return jwt.encode(claims, self.key, algorithm=_ALGORITHM, headers={"kid": self.key_id})

    def template_parameters(self) -> dict[str, str]:
        """Return the parameters of the template for this issuer."""
        return {
            "TokenIssuer": self.url,
            "TokenAudience": self.audience,
            "TokenKeysUrl": self.url + JWKS_PATH,
        }

    def save(self, data: Path) -> None:
        """Replace the file with the key and a token of each role; only this user can read it."""
        pem = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        tokens = {
            role: self.issue_token(role, subject=f"local-{role}", lifetime_s=SAVED_TOKEN_LIFETIME_S)
            for role in ROLES
        }
        fields = {"url": self.url, "audience": self.audience, "key_id": self.key_id, "key": pem.decode()}
        draft = data / f"{ISSUER_FILE}.{os.getpid()}"
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(fields | {"tokens": tokens}))
        draft.replace(data / ISSUER_FILE)


def open_issuer(data: Path, url: str, audience: str) -> Issuer:
    """The issuer of a cloud that starts: with the key of the data folder, which the first start creates."""
    try:
        issuer = replace(load_issuer(data), url=url, audience=audience)
    except FileNotFoundError:
        issuer = Issuer(url, audience)
    issuer.save(data)
    return issuer


def load_issuer(data: Path) -> Issuer:
    """The issuer of a data folder. Raises FileNotFoundError if no cloud has started on it."""
    written: Mapping[str, Any] = json.loads((data / ISSUER_FILE).read_text())
    key = serialization.load_pem_private_key(written["key"].encode(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("the issuer's key is not an elliptic curve key")
    return Issuer(written["url"], written["audience"], key, written["key_id"])
