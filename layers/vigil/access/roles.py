"""Callers of the API: their roles, and the sources that they can access."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal, get_args

Role = Literal["viewer", "reviewer", "operator", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
"""Rising: each role has the permissions of those before it."""


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller.

    id       the token's subject: opaque and stable, not a name
    sources  patterns of the sources that the caller can access, such as `door-*`; None for all sources,
             and without any pattern none
    """

    id: str
    role: Role
    sources: tuple[str, ...] | None = ()

    @property
    def is_bound(self) -> bool:
        """Whether the caller can access some sources only."""
        return self.sources is not None

    def has_role(self, role: Role) -> bool:
        return ROLES.index(self.role) >= ROLES.index(role)

    def can_access_source(self, source: str) -> bool:
        return self.sources is None or any(fnmatchcase(source, pattern) for pattern in self.sources)
