"""Models of cameras."""

from typing import Annotated, Literal

from pydantic import Field

from functions.api.schemas.fields import ApiModel, SourceName, Timestamp


class CameraReportRequest(ApiModel):
    """What a camera reports about itself every half a minute."""

    state: Annotated[
        Literal["running", "stopped"], Field(description="stopped if it was stopped on purpose")
    ] = "running"
    frame_age_s: Annotated[
        float | None, Field(ge=0, le=1e8, description="Seconds since the last frame; absent before the first")
    ] = None
    queued: Annotated[int, Field(ge=0, le=10_000_000, description="Number of files that wait")] = 0


class CameraOut(ApiModel):
    """The camera of a source by its last report."""

    source: SourceName
    state: Annotated[
        Literal["running", "stopped", "silent"],
        Field(description="silent after three minutes without a report or without a frame"),
    ]
    reported_at: Timestamp
    frame_at: Timestamp | None = None
    queued: Annotated[int, Field(description="Number of files that wait for their upload", examples=[0])]


class CameraList(ApiModel):
    """All cameras that reported themselves within the last week."""

    items: Annotated[list[CameraOut], Field(description="Cameras by source")]
