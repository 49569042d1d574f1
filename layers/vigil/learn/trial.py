"""What one release showed on one drop, beside another."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Trial:
    """Of the release on trial; of the active one alone, only that it failed.

    agreed   both said the same
    ms       of the release on trial; `ms_other` of the one beside it
    unsure   the release on trial knew nothing in the drop
    """

    model: str
    release: str
    drop: str
    agreed: bool
    failed: bool
    failed_other: bool
    ms: float
    ms_other: float
    unsure: bool = False
