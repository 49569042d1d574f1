"""Who calls, and what that lets them do: a role, and the sources that they may look at."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal, get_args

Role = Literal["viewer", "reviewer", "operator", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
"""Each may do all that those before it may."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody whose token was checked.

    id       the token's subject: opaque, stable, no name
    sources  patterns such as `door-*` of the sources they may see; none means all
    """

    id: str
    role: Role
    sources: tuple[str, ...] = ()

    def has_role(self, role: Role) -> bool:
        return ROLES.index(self.role) >= ROLES.index(role)

    def can_access_source(self, source: str) -> bool:
        return not self.sources or any(fnmatchcase(source, pattern) for pattern in self.sources)
