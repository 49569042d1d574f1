"""Models of uploads, drops, sightings and labels."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from functions.api.schemas.fields import (
    VISIBLE_LINE,
    ApiModel,
    Base64Image,
    DropId,
    DropState,
    FoundCount,
    IdPrefix,
    LabelText,
    Lane,
    LaneName,
    ModelName,
    ModelParameter,
    ModelResult,
    NextCursor,
    PageQuery,
    PersonFilter,
    ReleaseId,
    SightingId,
    SightingStatus,
    Since,
    SizePx,
    Source,
    SourceName,
    SubjectErased,
    SubjectName,
    ThumbnailUrl,
    TimesMs,
    Timestamp,
    Until,
)
from functions.api.schemas.predict import ObjectReference


class NewUpload(ApiModel):
    """The file to upload."""

    AUDITED_FIELDS: ClassVar = ("source", "lane", "model")

    source: Source
    lane: Annotated[Lane, Field(description="live, or bulk for input without urgency")] = "live"
    model: ModelParameter = "faces"
    suffix: Annotated[
        str, Field(pattern=r"^(\.[a-z0-9]{1,8})?$", description="Suffix of the file name; may be empty")
    ] = ".jpg"


class UploadForm(ApiModel):
    """A form: POST `fields` and then the file to `url` as multipart/form-data."""

    id: Annotated[str, Field(description="Id of the upload, for GET /v1/uploads/{upload}")]
    url: Annotated[str, Field(description="Address to which the form is posted")]
    fields: Annotated[dict[str, str], Field(description="Fields to send unchanged before the file")]
    max_bytes: Annotated[int, Field(description="Maximum size of the file in bytes; S3 checks it")]
    expires_at: Timestamp


class WaitQuery(ApiModel):
    """How long to wait for the end of a drop."""

    wait: Annotated[
        int, Field(ge=0, le=20, description="Maximum number of seconds to wait for the end of the drop")
    ] = 0


class UploadStatus(ApiModel):
    """The state of an upload.

    Without `drop` until the file has arrived; without `state` until a worker has claimed the drop.
    """

    id: Annotated[str, Field(description="Id of the upload")]
    drop: DropId | None = None
    state: Annotated[DropState | None, Field(description="State of the drop")] = None


class SightingOut(ModelResult):
    """One result of a model in one drop."""

    id: SightingId
    drop: DropId
    source: SourceName
    model: ModelName
    at: Timestamp
    person: Annotated[str | None, Field(description="Id of the recognised person")] = None
    person_name: SubjectName = None
    subject_erased: SubjectErased = False
    thumbnail_url: ThumbnailUrl = None


class DropActionOut(ApiModel):
    """What triage or an operator did with a message of a drop."""

    action: Annotated[str, Field(description="What was done", examples=["redriven"])]
    reason: Annotated[str, Field(description="Why it was done")]
    at: Timestamp


class FrameOut(ApiModel):
    """A frame of a clip."""

    clip: Annotated[str, Field(description="Id of the clip's drop", examples=["0" * 32])]
    number: Annotated[int, Field(description="Number of the frame in the clip, from 0", examples=[37])]
    time_ms: Annotated[int, Field(description="Milliseconds since the clip begins", examples=[1480])]


class DropOut(ApiModel):
    """A drop, with its sightings once it is done."""

    id: DropId
    state: Annotated[DropState, Field(description="claimed until processing has ended", examples=["done"])]
    lane: LaneName
    model: ModelName
    source: SourceName
    at: Timestamp
    attempts: Annotated[int, Field(description="Number of processing attempts", examples=[1])]
    stage: Annotated[
        str | None, Field(description="Stage that the last attempt reached", examples=["save"])
    ] = None
    error: Annotated[
        str | None,
        Field(description="Error of the last attempt", examples=["Transient: read object: SlowDown"]),
    ] = None
    first_claimed_at: Timestamp
    object: Annotated[
        ObjectReference | None, Field(description="Object in the photos bucket; absent for inline messages")
    ] = None
    frame: Annotated[FrameOut | None, Field(description="Frame of a clip that the drop shows")] = None
    release: ReleaseId | None = None
    reason: Annotated[str | None, Field(description="Why the drop was rejected or quarantined; stable")] = (
        None
    )
    message: Annotated[str | None, Field(description="The reason as a text for people")] = None
    completed_at: Timestamp | None = None
    size_px: SizePx = None
    found: FoundCount | None = None
    alerts: Annotated[
        int | None, Field(description="Number of alerts that the drop raised or repeated", examples=[0])
    ] = None
    times_ms: TimesMs | None = None
    notes: Annotated[
        dict[str, Any] | None,
        Field(
            description="Processing options; `degraded` and `alerts_left_out` describe what was omitted",
            examples=[{"detect": "640"}],
        ),
    ] = None
    photo_url: Annotated[str | None, Field(description="URL of the photo, valid for five minutes")] = None
    thumbnail_url: ThumbnailUrl = None
    sightings: Annotated[list[SightingOut] | None, Field(description="Sightings of the drop")] = None
    actions: Annotated[
        tuple[DropActionOut, ...] | None,
        Field(description="What triage and operators did with its messages, oldest first"),
    ] = None


class DropsQuery(PageQuery):
    """Filters of a list of drops."""

    AUDITED_FIELDS: ClassVar = ("source", "state")

    source: Source | None = None
    state: Annotated[DropState | None, Field(description="Only drops in this state")] = None
    lane: Annotated[Lane | None, Field(description="Only drops of this lane")] = None
    model: ModelParameter | None = None
    object: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=1024,
            description="Only drops of the versions of this object in the photos bucket",
            examples=["live/faces/door-3/frame.jpg"],
        ),
    ] = None
    clip: Annotated[
        str | None, Field(pattern=r"^[0-9a-f]{32}$", description="Only frames of the clip with this id")
    ] = None
    id_prefix: IdPrefix = None
    since: Since = None
    until: Until = None


class DropList(ApiModel):
    """A page of drops."""

    items: Annotated[list[DropOut], Field(description="Drops, newest first")]
    next: NextCursor = None


class SightingsQuery(PageQuery):
    """Filters of a list of sightings."""

    AUDITED_FIELDS: ClassVar = ("source", "person", "status")

    source: Source | None = None
    person: PersonFilter = None
    status: Annotated[SightingStatus | None, Field(description="Only sightings with this status")] = None
    since: Since = None
    until: Until = None


class SightingList(ApiModel):
    """A page of sightings."""

    items: Annotated[list[SightingOut], Field(description="Sightings, newest first")]
    next: NextCursor = None


class FaceSearchRequest(ApiModel):
    """A photo of one face in JSON; a photo sent as image or form is searched in the last seven days."""

    image: Base64Image
    days: Annotated[int, Field(ge=1, le=31, description="Age of the oldest sighting in days")] = 7


class SearchHitOut(ApiModel):
    """A sighting of a similar unknown person."""

    sighting: SightingId
    drop: DropId
    source: SourceName
    at: Timestamp
    score: Annotated[
        float, Field(description="Cosine similarity, at or above the threshold of the same subject")
    ]
    thumbnail_url: ThumbnailUrl = None


class SearchHitList(ApiModel):
    """The result of a face search."""

    items: Annotated[tuple[SearchHitOut, ...], Field(description="Hits, most similar first")]
    searched_since: Annotated[
        Timestamp,
        Field(
            description="Faces from this time on were compared; older ones were not if it is later than asked"
        ),
    ]


class LabelRequest(ApiModel):
    """A label for a drop."""

    AUDITED_FIELDS: ClassVar = ("label",)

    label: Annotated[
        str,
        Field(
            min_length=1,
            max_length=100,
            pattern=VISIBLE_LINE,
            description="Name of a class, or id of a person",
        ),
    ]


class LabelOut(ApiModel):
    """A labelled drop."""

    drop: DropId
    label: LabelText
