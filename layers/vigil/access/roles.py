"""Callers of the API: their roles, and the sources and galleries that they can access."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

Role = Literal["camera", "viewer", "reviewer", "operator", "admin"]
ROLES: tuple[Role, ...] = ("viewer", "reviewer", "operator", "admin")
ALL_ROLES: tuple[Role, ...] = ("camera", *ROLES)
"""Rising: each role has the permissions of those before it. The role camera stands beside them."""

CAMERA_OPERATIONS = frozenset({"create-upload", "report-camera"})
"""All that the role camera permits, and only for the sources that its token names."""


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller.

    id         the token's subject: opaque and stable, not a name
    sources    patterns of the sources that the caller can access, such as `door-*`; None for all sources,
               and without any pattern none
    galleries  the same for galleries; None for all galleries, or for none if the sources are limited
    """

    id: str
    role: Role
    sources: tuple[str, ...] | None = ()
    galleries: tuple[str, ...] | None = None

    @property
    def is_bound(self) -> bool:
        """Whether the caller can access some sources only, a camera none unless its token names it."""
        return self.sources is not None or self.role == "camera"

    def has_role(self, role: Role) -> bool:
        return self.role in ROLES and ROLES.index(self.role) >= ROLES.index(role)

    def can_call(self, operation: str, role: Role) -> bool:
        """Whether the caller may call an operation whose lowest role is this."""
        return self.has_role(role) or (self.role == "camera" and operation in CAMERA_OPERATIONS)

    def can_access_source(self, source: str) -> bool:
        return not self.is_bound if self.sources is None else _matches(source, self.sources)

    def can_access_gallery(self, gallery: str) -> bool:
        return not self.is_bound if self.galleries is None else _matches(gallery, self.galleries)


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
