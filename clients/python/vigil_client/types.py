"""The shapes of the API's requests and answers, written by `make openapi`."""

from typing import Any, Literal, NotRequired, TypedDict


class ReviewOut(TypedDict):
    """One reviewer's verdict."""

    reviewer: str
    decision: Literal["confirm", "dismiss", "not-this-person"]
    at: str


class AlertOut(TypedDict):
    """A sighting that a rule picked out, for people to decide about."""

    id: str
    rule: str
    severity: Literal["info", "warning", "critical"]
    status: str
    source: str
    model: str
    subject: str
    drop: str
    sighting: str
    at: str
    last_at: str
    drop_count: int
    review: Literal["open", "confirmed", "dismissed", "not-this-person"]
    required_reviewers: int
    reviews: NotRequired[list[ReviewOut]]
    subject_erased: NotRequired[bool]
    thumbnail_url: NotRequired[str]


class AlertList(TypedDict):
    """A page of alerts."""

    items: list[AlertOut]
    next: NotRequired[str]


class BackfillRequest(TypedDict):
    """An old bucket shown to a model, a part at a time."""

    model: NotRequired[str]
    cursor: NotRequired[str]


class BackfillResult(TypedDict):
    """One part of it; ask again with the cursor until it is empty."""

    announced: int
    cursor: str


class BatchAccepted(TypedDict):
    """The drops that it will be, in the same order."""

    drops: list[str]


class ObjectReference(TypedDict):
    """An object in the photos bucket."""

    key: str
    version: NotRequired[str]


class BatchRequest(TypedDict):
    """Objects that a model is to look at, through the bulk lane."""

    source: str
    objects: list[ObjectReference]


class BreakerOut(TypedDict):
    """Whether a lane may go on while a dependency fails."""

    dependency: str
    state: Literal["closed", "open", "half-open"]
    since: str


class CandidateOut(TypedDict):
    """The release that is being tried."""

    release: str
    canary_share: float
    shadow_share: float


class CompletenessOut(TypedDict):
    """Of the last whole walk over the bucket."""

    objects: int
    completed: int
    too_recent: int


class DropFailure(TypedDict):
    """One drop in a dead letter."""

    drop: str
    state: NotRequired[str]
    attempts: NotRequired[int]
    stage: NotRequired[str]
    error: NotRequired[str]
    release: NotRequired[str]


class DeadLetterOut(TypedDict):
    """A message that failed as often as it may."""

    id: str
    sent_at: str
    redrives: int
    suspect_drop: NotRequired[str]
    drops: list[DropFailure]


class DeadLetterList(TypedDict):
    """Dead letters of a lane, with what the ledger knows of each drop in them."""

    items: list[DeadLetterOut]


class DeadLetterSelection(TypedDict):
    """Dead letters by their ids; without any, all of the lane (at most 500)."""

    ids: NotRequired[list[str]]
    reason: NotRequired[str]


class DeadLettersProcessed(TypedDict):
    """How many were dealt with; those that somebody else holds at the moment are not among them."""

    processed: int


class SightingOut(TypedDict):
    """One thing that a model saw in one drop."""

    id: str
    drop: str
    source: str
    model: str
    at: str
    status: Literal["known", "unknown", "ambiguous", "unfit"]
    person: NotRequired[str]
    label: str
    score: NotRequired[float]
    threshold: NotRequired[float]
    box_px: NotRequired[list[float]]
    quality: NotRequired[float]
    quality_issues: NotRequired[list[str]]
    tags: NotRequired[list[str]]
    subject_erased: NotRequired[bool]
    thumbnail_url: NotRequired[str]


class DropOut(TypedDict):
    """The record of one drop, and what was seen in it once it is done."""

    id: str
    state: Literal["claimed", "done", "rejected", "quarantined"]
    lane: str
    model: str
    source: str
    at: str
    attempts: int
    stage: NotRequired[str]
    release: NotRequired[str]
    reason: NotRequired[str]
    message: NotRequired[str]
    completed_at: NotRequired[str]
    size_px: NotRequired[list[int]]
    found: NotRequired[int]
    alerts: NotRequired[int]
    times_ms: NotRequired[dict[str, float]]
    notes: NotRequired[dict[str, Any]]
    photo_url: NotRequired[str]
    thumbnail_url: NotRequired[str]
    sightings: NotRequired[list[SightingOut]]


class DropList(TypedDict):
    """A page of drops."""

    items: list[DropOut]
    next: NotRequired[str]


class DryRunRequest(TypedDict):
    """A watch file to try on what was seen."""

    toml: str
    hours: NotRequired[int]


class RuleDryRun(TypedDict):
    """One rule on the sightings of the last hours."""

    rule: str
    sightings: int
    alerts: int
    current_alerts: int


class DryRunResult(TypedDict):
    """What would have been raised."""

    sightings: int
    rules: list[RuleDryRun]


class EnrolledPhoto(TypedDict):
    """A photo that became a template."""

    person: str
    gallery_version: int


class ErasureReceiptOut(TypedDict):
    """What was erased, and when; nothing in it says who it was."""

    person: str
    erased_at: str
    gallery_version: int
    erased: dict[str, int]


class EstimateOut(TypedDict):
    """A measured figure with its 95 % interval."""

    value: float
    low: float
    high: float
    items: int


class FaceSearchRequest(TypedDict):
    """A photo of one face, inside JSON; sent as image/jpeg or as a form, the last seven days are searched."""

    image: str
    days: NotRequired[int]


class Health(TypedDict):
    """All that the unauthenticated are told."""

    status: str


class InlineImage(TypedDict):
    """A picture inside JSON."""

    image: str


class StoredImage(TypedDict):
    """A picture by where it lies."""

    object: ObjectReference


ImageInput = InlineImage | StoredImage


class LabelOut(TypedDict):
    """A drop with what it is said to show."""

    drop: str
    label: str


class LabelRequest(TypedDict):
    """The name of a class, or the id of a person."""

    label: str


class LaneState(TypedDict):
    """A lane after pause or resume."""

    lane: str
    paused: bool


class LaneStatus(TypedDict):
    """One lane, now."""

    lane: str
    visible_messages: int
    dead_letters: int
    running: bool
    paused: bool
    workers: NotRequired[int]
    breakers: NotRequired[list[BreakerOut]]


class StageTransitionOut(TypedDict):
    """One step of a release's life."""

    stage: Literal["registered", "shadow", "canary", "active", "retired", "rejected", "rolled-back"]
    event: Literal["shadow", "pass", "reject", "roll-back", "replace", "restore"]
    at: str
    reasons: NotRequired[list[str]]


class ReembeddingProgressOut(TypedDict):
    """How far a release knows everybody who is enrolled: it sees no drop before it does."""

    people: int
    remaining: int
    missing_reference: int


class ReleaseOut(TypedDict):
    """A release on record."""

    id: str
    stage: Literal["registered", "shadow", "canary", "active", "retired", "rejected", "rolled-back"]
    since: str
    metric: EstimateOut
    gain: NotRequired[EstimateOut]
    history: list[StageTransitionOut]
    reembedding: NotRequired[ReembeddingProgressOut]


class ModelDetails(TypedDict):
    """A model with its card and its releases."""

    name: str
    release: str
    suffixes: list[str]
    max_bytes: int
    card: dict[str, Any]
    active: str
    candidate: NotRequired[CandidateOut]
    previous: NotRequired[str]
    releases: NotRequired[list[ReleaseOut]]


class ModelOut(TypedDict):
    """A deployed model."""

    name: str
    release: str
    suffixes: list[str]
    max_bytes: int


class ModelList(TypedDict):
    """All that can be asked for."""

    items: list[ModelOut]


class NewName(TypedDict):
    """Another name."""

    name: str


class NewPerson(TypedDict):
    """Somebody new; photos follow."""

    name: str
    tags: NotRequired[list[str]]


class NewReview(TypedDict):
    """A verdict: it is that person, or that stranger, rightly; it is nothing; it is somebody else."""

    decision: Literal["confirm", "dismiss", "not-this-person"]


class NewRules(TypedDict):
    """A watch file to put in force."""

    toml: str
    version: NotRequired[str]


class NewSubscription(TypedDict):
    """An HTTPS endpoint that is to be told; it must confirm, as SNS asks it to."""

    url: str
    types: NotRequired[list[Literal["vigil.alert.raised", "vigil.drop.done", "vigil.drop.rejected", "vigil.drop.quarantined"]]]
    severities: NotRequired[list[Literal["info", "warning", "critical"]]]
    sources: NotRequired[list[str]]


class NewUpload(TypedDict):
    """What is going to be uploaded."""

    source: str
    lane: NotRequired[Literal["live", "bulk"]]
    model: NotRequired[str]
    suffix: NotRequired[str]


class PersonOut(TypedDict):
    """Somebody enrolled, or to be enrolled."""

    id: str
    name: str
    tags: list[str]
    watched: bool
    training_consent: bool
    changed_at: str


class PersonList(TypedDict):
    """A page of people."""

    items: list[PersonOut]
    next: NotRequired[str]


class PersonRef(TypedDict):
    """Whom it is about. The id is random: nothing about them can be read from it."""

    id: str
    tags: NotRequired[list[str]]


class PhotoUpload(TypedDict):
    """An image inside JSON."""

    image: str


class PredictedSighting(TypedDict):
    """One thing in the picture."""

    status: Literal["known", "unknown", "ambiguous", "unfit"]
    label: str
    score: NotRequired[float]
    threshold: NotRequired[float]
    box_px: NotRequired[list[float]]
    quality: NotRequired[float]
    tags: NotRequired[list[str]]
    quality_issues: NotRequired[list[str]]


class PredictionOut(TypedDict):
    """What the model sees; nothing of it is stored."""

    model: str
    release: str
    found: int
    size_px: NotRequired[list[int]]
    times_ms: dict[str, float]
    sightings: list[PredictedSighting]


class Problem(TypedDict):
    type: str
    title: str
    status: int
    detail: NotRequired[str]
    remedy: str
    reason: NotRequired[str]
    errors: NotRequired[list[dict[str, Any]]]
    boxes_px: NotRequired[list[list[float]]]


class Reason(TypedDict):
    """A decision's reason: it stands in the release's history, beside who decided."""

    reason: str


class ReviewResult(TypedDict):
    """What the verdicts so far come to."""

    alert: str
    review: Literal["open", "confirmed", "dismissed", "not-this-person"]
    review_count: int
    required_reviewers: int


class RuleOut(TypedDict):
    """One rule in force."""

    name: str
    severity: Literal["info", "warning", "critical"]
    window_s: int
    required_reviewers: int


class RulesOut(TypedDict):
    """The watch file in force, as it stands, and its rules."""

    toml: str
    version: str
    rules: list[RuleOut]


class SearchHitOut(TypedDict):
    """A sighting of a stranger who looks alike."""

    sighting: str
    drop: str
    source: str
    at: str
    score: float
    thumbnail_url: NotRequired[str]


class SearchHitList(TypedDict):
    """The most alike first."""

    items: list[SearchHitOut]


class SightingList(TypedDict):
    """A page of sightings."""

    items: list[SightingOut]
    next: NotRequired[str]


class SignedReceipt(TypedDict):
    """A receipt with this deployment's seal: `./vigil erasure verify` checks both seal and truth."""

    receipt: ErasureReceiptOut
    mac: str


class Slo(TypedDict):
    """A service level objective, by what was counted; a window in which nothing happened is left out."""

    name: str
    description: str
    target: float
    good_ratio: dict[str, float]
    burn_rate: dict[str, float]
    budget_remaining: NotRequired[float]


class StagesChanged(TypedDict):
    """What a decision moved."""

    model: str
    stages: dict[str, Literal["registered", "shadow", "canary", "active", "retired", "rejected", "rolled-back"]]


class SubscriptionOut(TypedDict):
    """Who is told what."""

    id: str
    url: str
    filter: NotRequired[dict[str, Any]]


class SubscriptionList(TypedDict):
    """Those of the caller; of everybody, for an admin."""

    items: list[SubscriptionOut]


class SystemStatus(TypedDict):
    """How the system is."""

    lanes: list[LaneStatus]
    degradation_level: int
    completeness: NotRequired[CompletenessOut]
    slos: list[Slo]


class TaskStarted(TypedDict):
    """It goes on by itself."""

    task: str


class TrainingAccepted(TypedDict):
    """A training job. Its name follows from data set, recipe, parent and container."""

    job: str
    state: Literal["requested", "waiting", "running", "done", "failed", "stopped"]
    data: str
    expected_usd: float
    max_usd: float


class TrainingOut(TypedDict):
    """A training job, and what became of it."""

    job: str
    state: Literal["requested", "waiting", "running", "done", "failed", "stopped"]
    since: str
    created_at: str
    data: str
    parent: NotRequired[str]
    attempt: int
    next_attempt_at: NotRequired[str]
    release: NotRequired[str]
    reason: NotRequired[str]
    expected_usd: float
    max_usd: float
    usd: NotRequired[float]
    seconds: NotRequired[float]


class TrainingList(TypedDict):
    """A model's training jobs, the latest first."""

    items: list[TrainingOut]


class TrainingRequest(TypedDict):
    """What is to be trained, and how."""

    recipe: NotRequired[str]


class UploadForm(TypedDict):
    """POST the file to `url` as multipart/form-data, with `fields` before it; S3 checks type and size."""

    id: str
    url: str
    fields: dict[str, str]
    max_bytes: int
    expires_at: str


class UploadStatus(TypedDict):
    """What became of an upload: no drop as long as nothing has arrived."""

    id: str
    drop: NotRequired[str]
    state: NotRequired[Literal["claimed", "done", "rejected", "quarantined"]]
