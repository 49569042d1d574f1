"""Callers of the API: their roles, and the sources and galleries that they can access."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal, get_args

Role = Literal["viewer", "reviewer", "operator", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
"""Rising: each role has the permissions of those before it."""


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
        """Whether the caller can access some sources only."""
        return self.sources is not None

    def has_role(self, role: Role) -> bool:
        return ROLES.index(self.role) >= ROLES.index(role)

    def can_access_source(self, source: str) -> bool:
        return self.sources is None or _matches(source, self.sources)

    def can_access_gallery(self, gallery: str) -> bool:
        return not self.is_bound if self.galleries is None else _matches(gallery, self.galleries)


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
