"""Models of webhook subscriptions."""

from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field

from functions.api.schemas.fields import ApiModel, Severity, Source

EventType = Literal["vigil.alert.raised", "vigil.drop.done", "vigil.drop.rejected", "vigil.drop.quarantined"]


class NewSubscription(ApiModel):
    """An HTTPS endpoint and the events that it receives; the endpoint must confirm the subscription."""

    AUDITED_FIELDS: ClassVar = ("host", "types", "sources")

    url: Annotated[
        str,
        Field(
            max_length=500,
            pattern=r"^https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[!-~]*)?$",
            description="Address to which SNS posts events",
        ),
    ]
    types: Annotated[
        tuple[EventType, ...], Field(min_length=1, max_length=4, description="Types of events")
    ] = ("vigil.alert.raised",)
    severities: Annotated[
        tuple[Severity, ...], Field(max_length=3, description="Severities of alerts; empty: all")
    ] = ()
    sources: Annotated[
        tuple[Source, ...], Field(max_length=50, description="Sources; empty: all that the token can access")
    ] = ()

    @property
    def host(self) -> str:
        """The audited part of the address; the path may contain a secret."""
        return urlsplit(self.url).netloc


class SubscriptionOut(ApiModel):
    """A subscription."""

    id: Annotated[str, Field(description="Id of the subscription")]
    url: Annotated[str, Field(description="Address to which SNS posts events")]
    filter: Annotated[dict[str, Any] | None, Field(description="SNS filter policy")] = None


class SubscriptionList(ApiModel):
    """Subscriptions of the caller, or of all callers for an admin."""

    items: Annotated[tuple[SubscriptionOut, ...], Field(description="Subscriptions in no particular order")]
