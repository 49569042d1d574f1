"""Models of the audit log."""

from typing import Annotated, ClassVar

from pydantic import Field

from functions.api.schemas.fields import ApiModel, NextCursor, PageQuery, Timestamp
from vigil.access.audit import CHAIN_COUNT


class AuditQuery(PageQuery):
    """Filters of the audit log."""

    AUDITED_FIELDS: ClassVar = ("caller",)

    caller: Annotated[
        str | None, Field(min_length=1, max_length=200, description="Only entries of this caller")
    ] = None


class AuditEntryOut(ApiModel):
    """One recorded operation."""

    chain: Annotated[str, Field(description="Chain of the entry", examples=["chain-3"])]
    number: Annotated[int, Field(description="Number of the entry in its chain, from 1")]
    at: Timestamp
    caller: Annotated[str, Field(description="Subject of the caller's token")]
    role: Annotated[str, Field(description="Role of the caller")]
    operation: Annotated[str, Field(description="Name of the operation", examples=["get-person"])]
    resource_ids: Annotated[dict[str, str], Field(description="Ids of what the operation concerned")]


class AuditEntryList(ApiModel):
    """A page of the audit log."""

    items: Annotated[tuple[AuditEntryOut, ...], Field(description="Entries, newest first")]
    next: NextCursor = None


class AuditVerificationQuery(ApiModel):
    """Which chains to verify."""

    AUDITED_FIELDS: ClassVar = ("chain",)

    chain: Annotated[
        int | None,
        Field(ge=0, lt=CHAIN_COUNT, description="Number of the only chain to verify; absent: all"),
    ] = None
    cursor: Annotated[
        str | None, Field(max_length=1000, description="`next` of the previous answer, with the same chain")
    ] = None


class ChainBreakOut(ApiModel):
    """The first entry at which a chain is not valid."""

    chain: Annotated[str, Field(description="Chain of the entry")]
    number: Annotated[int, Field(description="Number of the entry in its chain")]
    reason: Annotated[str, Field(description="Why the entry is not valid")]


class AuditVerification(ApiModel):
    """The result of verifying the hashes of the audit log and its signed checkpoints."""

    valid: Annotated[bool, Field(description="Whether no chain is broken and the signature is valid")]
    chains: Annotated[int, Field(description="Number of chains that have entries")]
    entries: Annotated[int, Field(description="Number of entries that were read")]
    checkpoints: Annotated[int, Field(description="Number of checkpoints with which they were compared")]
    breaks: Annotated[tuple[ChainBreakOut, ...], Field(description="The first break of each broken chain")]
    checkpoint_at: Annotated[
        Timestamp | None,
        Field(description="Time of the newest checkpoint; without one, removed entries are not detected"),
    ] = None
    checkpoint_error: Annotated[
        str | None, Field(description="Why the signature of a checkpoint is not valid")
    ] = None
    next: Annotated[
        str | None, Field(description="`cursor` for the comparison with older checkpoints; absent at the end")
    ] = None
