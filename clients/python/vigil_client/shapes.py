"""The shapes of the API's requests and answers, written by `python -m infra.describe`."""

from typing import Any, Literal, NotRequired, TypedDict


class Review(TypedDict):
    """One reviewer's verdict."""

    reviewer: str
    verdict: Literal["confirm", "dismiss", "not-this-person"]
    at: str


class Alert(TypedDict):
    """A sighting that a rule picked out, for people to decide about."""

    alert: str
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
    drops: int
    review: Literal["open", "confirmed", "dismissed", "not-this-person"]
    reviewers: int
    reviews: NotRequired[list[Review]]
    forgotten: NotRequired[bool]
    thumbnail_url: NotRequired[str]


class Alerts(TypedDict):
    """A page of alerts."""

    items: list[Alert]
    next: NotRequired[str]


class BackFill(TypedDict):
    """An old bucket shown to a model, a part at a time."""

    model: NotRequired[str]
    cursor: NotRequired[str]


class BackFilled(TypedDict):
    """One part of it; ask again with the cursor until it is empty."""

    announced: int
    cursor: str


class Reference(TypedDict):
    """An object in the photos bucket."""

    key: str
    version: NotRequired[str]


class Batch(TypedDict):
    """Objects that a model is to look at, through the bulk lane."""

    source: str
    objects: list[Reference]


class Breaker(TypedDict):
    """Whether a lane may go on while a dependency fails."""

    dependency: str
    state: Literal["closed", "open", "half-open"]
    since: str


class Candidate(TypedDict):
    """The release that is being tried."""

    release: str
    share: float
    beside: float


class Chosen(TypedDict):
    """Dead letters by their ids; without any, all of the lane (at most 500)."""

    letters: NotRequired[list[str]]
    why: NotRequired[str]


class Completeness(TypedDict):
    """Of the last whole walk over the bucket."""

    objects: int
    settled: int
    young: int


class Evidence(TypedDict):
    """One drop in a dead letter."""

    drop: str
    state: NotRequired[str]
    attempts: NotRequired[int]
    stage: NotRequired[str]
    error: NotRequired[str]
    release: NotRequired[str]


class DeadLetter(TypedDict):
    """A message that failed as often as it may."""

    letter: str
    sent_at: str
    redrives: int
    suspected: NotRequired[str]
    drops: list[Evidence]


class Sighting(TypedDict):
    """One thing that a model saw in one drop."""

    sighting: str
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
    faults: NotRequired[list[str]]
    tags: NotRequired[list[str]]
    forgotten: NotRequired[bool]
    thumbnail_url: NotRequired[str]


class Drop(TypedDict):
    """The record of one drop, and what was seen in it once it is done."""

    drop: str
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
    settled_at: NotRequired[str]
    size_px: NotRequired[list[int]]
    found: NotRequired[int]
    alerts: NotRequired[int]
    times_ms: NotRequired[dict[str, float]]
    notes: NotRequired[dict[str, Any]]
    photo_url: NotRequired[str]
    thumbnail_url: NotRequired[str]
    sightings: NotRequired[list[Sighting]]


class Drops(TypedDict):
    """A page of drops."""

    items: list[Drop]
    next: NotRequired[str]


class Tried(TypedDict):
    """One rule on the sightings of the last hours."""

    rule: str
    sightings: int
    alerts: int
    now: int


class DryRun(TypedDict):
    """What would have been raised."""

    sightings: int
    rules: list[Tried]


class Figure(TypedDict):
    """A measured figure with its 95 % interval."""

    value: float
    low: float
    high: float
    items: int


class Health(TypedDict):
    """All that the unauthenticated are told."""

    status: str


class Image(TypedDict):
    """A picture inside JSON."""

    image: str


class Label(TypedDict):
    """The name of a class, or the id of a person."""

    label: str


class Labelled(TypedDict):
    """A drop with what it is said to show."""

    drop: str
    label: str


class LaneStatus(TypedDict):
    """One lane, now."""

    lane: str
    waiting: int
    dead: int
    running: bool
    paused: bool
    workers: NotRequired[int]
    breakers: NotRequired[list[Breaker]]


class LaneSwitched(TypedDict):
    """A lane after pause or resume."""

    lane: str
    paused: bool


class Letters(TypedDict):
    """Dead letters of a lane, with what the ledger knows of each drop in them."""

    items: list[DeadLetter]


class Likeness(TypedDict):
    """A sighting of a stranger who looks alike."""

    sighting: str
    drop: str
    source: str
    at: str
    score: float
    thumbnail_url: NotRequired[str]


class Likenesses(TypedDict):
    """The most alike first."""

    items: list[Likeness]


class Migrated(TypedDict):
    """How far a release knows everybody who is enrolled: it sees no drop before it does."""

    people: int
    left: int
    without: int


class Model(TypedDict):
    """A deployed model."""

    model: str
    release: str
    suffixes: list[str]
    most_bytes: int


class Step(TypedDict):
    """One step of a release's life."""

    stage: Literal["registered", "shadow", "canary", "active", "retired", "rejected", "rolled-back"]
    step: Literal["shadow", "pass", "reject", "roll-back", "replace", "restore"]
    at: str
    reasons: NotRequired[list[str]]


class Release(TypedDict):
    """A release on record."""

    release: str
    stage: Literal["registered", "shadow", "canary", "active", "retired", "rejected", "rolled-back"]
    since: str
    measured: Figure
    gain: NotRequired[Figure]
    history: list[Step]
    migrated: NotRequired[Migrated]


class ModelCard(TypedDict):
    """A model with its card and its releases."""

    model: str
    release: str
    suffixes: list[str]
    most_bytes: int
    card: dict[str, Any]
    active: str
    candidate: NotRequired[Candidate]
    former: NotRequired[str]
    releases: NotRequired[list[Release]]


class ModelMoved(TypedDict):
    """What a decision moved."""

    model: str
    stages: dict[str, Literal["registered", "shadow", "canary", "active", "retired", "rejected", "rolled-back"]]


class Models(TypedDict):
    """All that can be asked for."""

    items: list[Model]


class Moved(TypedDict):
    """How many were dealt with; those that somebody else holds at the moment are not among them."""

    letters: int


class NewName(TypedDict):
    """Another name."""

    name: str


class NewPerson(TypedDict):
    """Somebody new; photos follow."""

    name: str
    tags: NotRequired[list[str]]


class NewReview(TypedDict):
    """A verdict: it is that person, or that stranger, rightly; it is nothing; it is somebody else."""

    verdict: Literal["confirm", "dismiss", "not-this-person"]


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


class Order(TypedDict):
    """What is to be trained, and how."""

    recipe: NotRequired[str]


class Ordered(TypedDict):
    """A training job. Its name follows from data set, recipe, parent and container."""

    job: str
    state: Literal["wanted", "waiting", "running", "done", "failed", "stopped"]
    data: str
    expected_usd: float
    most_usd: float


class Person(TypedDict):
    """Somebody enrolled, or to be enrolled."""

    person: str
    name: str
    tags: list[str]
    watched: bool
    learn: bool
    changed_at: str


class People(TypedDict):
    """A page of people."""

    items: list[Person]
    next: NotRequired[str]


class PersonId(TypedDict):
    """Whom it is about. The id is random: nothing about them can be read from it."""

    person: str
    tags: NotRequired[list[str]]


class Photo(TypedDict):
    """An image inside JSON."""

    image: str


class Placed(TypedDict):
    """A picture by where it lies."""

    object: Reference


Picture = Image | Placed


class Seen(TypedDict):
    """One thing in the picture."""

    status: Literal["known", "unknown", "ambiguous", "unfit"]
    label: str
    score: NotRequired[float]
    threshold: NotRequired[float]
    box_px: NotRequired[list[float]]
    quality: NotRequired[float]
    tags: NotRequired[list[str]]
    faults: NotRequired[list[str]]


class Prediction(TypedDict):
    """What the model sees; nothing of it is stored."""

    model: str
    release: str
    found: int
    size_px: NotRequired[list[int]]
    times_ms: dict[str, float]
    sightings: list[Seen]


class Problem(TypedDict):
    type: str
    title: str
    status: int
    detail: NotRequired[str]
    way_out: str
    reason: NotRequired[str]
    errors: NotRequired[list[dict[str, Any]]]
    boxes_px: NotRequired[list[list[float]]]


class Promised(TypedDict):
    """A service level objective, by what was counted; a window in which nothing happened is left out."""

    name: str
    says: str
    target: float
    good: dict[str, float]
    burn: dict[str, float]
    left: NotRequired[float]


class Queued(TypedDict):
    """The drops that it will be, in the same order."""

    drops: list[str]


class Receipt(TypedDict):
    """What was erased, and when; nothing in it says who it was."""

    person: str
    erased_at: str
    gallery_version: int
    erased: dict[str, int]


class Reviewed(TypedDict):
    """What the verdicts so far come to."""

    alert: str
    review: Literal["open", "confirmed", "dismissed", "not-this-person"]
    verdicts: int
    reviewers: int


class Rule(TypedDict):
    """One rule in force."""

    name: str
    severity: Literal["info", "warning", "critical"]
    window_s: int
    reviewers: int


class Rules(TypedDict):
    """The watch file in force, as it stands, and its rules."""

    toml: str
    version: str
    rules: list[Rule]


class SealedReceipt(TypedDict):
    """A receipt with this deployment's seal: `./vigil erasure verify` checks both seal and truth."""

    receipt: Receipt
    seal: str


class SearchPhoto(TypedDict):
    """A photo of one face, inside JSON; sent as image/jpeg or as a form, the last seven days are searched."""

    image: str
    days: NotRequired[int]


class Sightings(TypedDict):
    """A page of sightings."""

    items: list[Sighting]
    next: NotRequired[str]


class Started(TypedDict):
    """It goes on by itself."""

    started: str


class Status(TypedDict):
    """How the system is."""

    lanes: list[LaneStatus]
    degradation: int
    completeness: NotRequired[Completeness]
    promises: list[Promised]


class Subscription(TypedDict):
    """Who is told what."""

    subscription: str
    url: str
    filter: NotRequired[dict[str, Any]]


class Subscriptions(TypedDict):
    """Those of the caller; of everybody, for an admin."""

    items: list[Subscription]


class Taken(TypedDict):
    """A photo that became a template."""

    person: str
    gallery_version: int


class Training(TypedDict):
    """A training job, and what became of it."""

    job: str
    state: Literal["wanted", "waiting", "running", "done", "failed", "stopped"]
    since: str
    asked_at: str
    data: str
    parent: NotRequired[str]
    attempt: int
    again_at: NotRequired[str]
    release: NotRequired[str]
    why: NotRequired[str]
    expected_usd: float
    most_usd: float
    usd: NotRequired[float]
    seconds: NotRequired[float]


class Trainings(TypedDict):
    """A model's training jobs, the latest first."""

    items: list[Training]


class TryRules(TypedDict):
    """A watch file to try on what was seen."""

    toml: str
    hours: NotRequired[int]


class Upload(TypedDict):
    """POST the file to `url` as multipart/form-data, with `fields` before it; S3 checks type and size."""

    upload: str
    url: str
    fields: dict[str, str]
    most_bytes: int
    expires_at: str


class Uploaded(TypedDict):
    """What became of an upload: no drop as long as nothing has arrived."""

    upload: str
    drop: NotRequired[str]
    state: NotRequired[Literal["claimed", "done", "rejected", "quarantined"]]


class Why(TypedDict):
    """A decision's reason: it stands in the release's history, beside who decided."""

    why: str
