"""The keys, attributes and time to live of every row in DynamoDB; docs/data-model.md explains them."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zlib import crc32

from cloud.dynamodb.attributes import Item, to_item

Table = Literal["records", "faces", "people", "callers", "audit"]

KEY_ATTRIBUTES: dict[Table, tuple[str, ...]] = {
    "records": ("pk", "sk"),
    "faces": ("pk", "sk"),
    "people": ("pk", "sk"),
    "callers": ("id",),
    "audit": ("pk", "number"),
}
TTL_ATTRIBUTES: dict[Table, str] = {"records": "expires", "faces": "expires", "callers": "expiration"}
"""DynamoDB deletes a row within days after this Unix time in seconds; reads ignore it from then on."""


@dataclass(frozen=True, slots=True)
class RowKind:
    """One kind of row.

    keys        patterns of the key attributes, in the order of KEY_ATTRIBUTES
    attributes  all others that a row may have, separated by spaces
    ttl         how long the row is stored; "retention" is the deployment's setting, None has no end
    """

    table: Table
    keys: tuple[str, ...]
    attributes: str
    ttl: timedelta | Literal["retention"] | None = None

    def key(self, **parts: object) -> Item:
        """The primary key of one row, as attribute values."""
        names = KEY_ATTRIBUTES[self.table]
        return to_item({name: text.format(**parts) for name, text in zip(names, self.keys, strict=True)})

    def partition(self, **parts: object) -> str:
        """The partition key of one row."""
        return self.keys[0].format(**parts)

    def expires(self, at: datetime) -> int:
        """When a row that is written at this time ends, in Unix seconds."""
        if not isinstance(self.ttl, timedelta):
            raise TypeError(f"rows {self.keys} have no fixed time to live")
        return int((at + self.ttl).timestamp())


WINDOW_TTL = timedelta(days=1)
"""An unknown subject of a time window is stored for so long."""

LISTING = "list_key list_at"
"""Attributes of the index `listing`: all rows of one kind, by time."""

DROP = RowKind(
    "records",
    ("drop#{drop}", "drop"),
    "drop_id lane model source state owner until attempts stage error dependency release reason message "
    "occurred_at first_claimed_at completed_at s3_object object sightings found alerts size_px notes "
    "times_ms completed_key "
    f"expires {LISTING}",
    "retention",
)
SIGHTING = RowKind(
    "records",
    ("drop#{drop}", "sighting#{number:03}"),
    "drop_id model source occurred_at label status score threshold box_px quality quality_issues tags "
    f"value text row span_s subject expires {LISTING}",
    "retention",
)
NOTE = RowKind("records", ("drop#{drop}", "note#{at}"), "drop_id action_taken reason expires", "retention")
REANNOUNCEMENT = RowKind(
    "records", ("drop#{drop}", "reannouncement"), "drop_id at times expires", timedelta(days=14)
)
CLIP = RowKind(
    "records",
    ("drop#{drop}", "clip"),
    "drop_id position_s last_hash last_s stored_frames attempt expires",
    "retention",
)
ALERT = RowKind(
    "records",
    ("alert#{alert}", "alert"),
    "alert_id rule severity subject_id subject status model source window occurred_at last_at drop_id "
    f"sighting drops review reviews reviewers expires {LISTING}",
    "retention",
)
SUPPRESSION = RowKind(
    "records",
    ("suppression#{rule}#{source}#{subject}", "suppression"),
    "until subject list_at expires",
    timedelta(hours=12),
)
LABEL = RowKind(
    "records",
    ("label#{label}", "label"),
    "drop_id sighting model source label predicted_label subject decision labelled_by labelled_at expires "
    f"{LISTING}",
    timedelta(days=90),
)
ERASURE = RowKind("records", ("erasure#{person_hash}", "erasure"), "receipt expires", timedelta(days=1))
ERASURE_PROGRESS = RowKind(
    "records",
    ("erasures", "{person}"),
    "person began_at step cursor counts gallery_version unreadable_datasets held_until",
)
"""Deleted at the end of the erasure."""

LANE_COUNTS = RowKind(
    "records",
    ("lane_counts#{lane}", "{start}"),
    "calls seconds age_s failed_* first_* expires",
    timedelta(hours=1),
)
RELEASE_HEALTH = RowKind(
    "records",
    ("release_health#{model}#{release}", "{start}"),
    "samples slow unrecognised expires",
    timedelta(hours=2),
)
SKETCH = RowKind(
    "records",
    ("sketch#{model}#{release}", "{start}"),
    "items unknown vectors s* w* expires",
    timedelta(days=3),
)
SKETCHED_RELEASE = RowKind(
    "records", ("sketches", "{model}#{release}"), "model release expires", timedelta(days=3)
)
POINTERS = RowKind(
    "records",
    ("releases", "{model}"),
    "active candidate previous canary_share shadow_share expected revision",
)
RELEASE = RowKind(
    "records",
    ("releases#{model}", "release#{release}"),
    "model release stage since history metric gain data parent",
)
COMPARISON = RowKind(
    "records",
    ("shadow_comparison#{model}#{release}#{shard:02}", "{drop}"),
    "at agreed failed failed_active latency_ms latency_ms_active nothing_recognised expires",
    timedelta(days=30),
)
TRAINING_JOB = RowKind(
    "records",
    ("jobs", "{spec}"),
    "spec state since created_at attempt instance_index rounds interruptions detail next_attempt_at name "
    "release failure_note expected_usd max_usd cost_usd run_s",
)
STATE = RowKind("records", ("state#{name}", "state"), "value")
CAMERA = RowKind(
    "records",
    ("cameras", "{source}"),
    "source camera_state reported_at frame_at queued expires",
    timedelta(days=7),
)
TASK_RUN = RowKind("records", ("task_run#{run}", "run"), "task state report error expires", timedelta(days=1))

UNKNOWN_SUBJECT = RowKind(
    "faces",
    ("unknown_subjects#{source}#{window}", "{at}#{subject}"),
    "subject_id vectors same_subject_threshold expires",
    WINDOW_TTL,
)
SUBJECT_REVISION = RowKind(
    "faces", ("unknown_subjects#{source}#{window}", "~revision"), "revision expires", WINDOW_TTL
)
"""Counts the new subjects of a window; its sort key is the last of its partition."""

STORED_FACES = RowKind(
    "faces",
    ("faces#{day}#{shard:02}", "{at}#{drop}"),
    "drop_id source occurred_at embedding_space same_subject_threshold sighting_numbers vectors expires",
    "retention",
)

PROFILE = RowKind(
    "people",
    ("person#{person}", "profile"),
    "person name gallery tags user_id changed_at erasure_began_at list_key",
)
TEMPLATE = RowKind(
    "people",
    ("person#{person}", "template#{version:08}-{number:02}"),
    "vectors quality reference_image reference_box_px enrolled_at face_origin user_id earlier_id",
)
USER = RowKind("people", ("users#{gallery}", "{user}"), "person revision created_at")
MOVED_FACE = RowKind("people", ("moved_face#{face}", "face"), "person version number")
NAME = RowKind("people", ("name#{gallery}#{name}", "person"), "person")
GALLERY_POINTER = RowKind(
    "people", ("gallery", "{gallery}"), "version keys incomplete_spaces at tags deleted_at"
)

RATE_LIMIT = RowKind("callers", ("rate_limit#{caller}#{minute}",), "calls expiration", timedelta(minutes=5))
SUBSCRIPTIONS = RowKind("callers", ("subscriptions#{caller}",), "ids")
IDEMPOTENCY = RowKind(
    "callers", ("{function}#{hash}",), "status data validation expiration", timedelta(days=1)
)
"""Written by Powertools."""

AUDIT_ENTRY = RowKind(
    "audit",
    ("chain-{chain}", "{number}"),
    "at caller role operation resource_ids previous_hash entry_hash",
)

ROW_KINDS = {name: kind for name, kind in globals().items() if isinstance(kind, RowKind)}


def drop_key(drop: str) -> Item:
    return DROP.key(drop=drop)


def person_key(person: str) -> Item:
    return PROFILE.key(person=person)


def erasure_key(person: str) -> Item:
    """The key contains a hash, so that the row does not name the person whose erasure it records."""
    return ERASURE.key(person_hash=hashlib.sha256(person.encode()).hexdigest()[:32])


LIST_SHARDS = 16
"""The number of index keys over which the rows of one list are spread.

A partition takes 1,000 write units a second, and an index that is throttled throttles its table.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-sharding.html
"""


FACE_SHARDS = 32
"""The same for stored faces, whose rows are larger and written in transactions."""


def shard_of(row_id: str, shards: int = LIST_SHARDS) -> int:
    """Which of the keys a row has."""
    return crc32(row_id.encode()) % shards


def list_keys(kind: str) -> tuple[str, ...]:
    """All index keys of the list of a kind."""
    return (kind, *(f"{kind}#{shard:02}" for shard in range(1, LIST_SHARDS)))


def list_key(kind: str, row_id: str) -> str:
    """The index key of one row in the list of a kind; it follows from the row's id."""
    return list_keys(kind)[shard_of(row_id)]


def completed_key(drop: str) -> str:
    """The key of a completed drop in the index `completed`, which lists them by the time of completion."""
    return list_key("completed", drop)


def listing_attributes(kind: str, row_id: str, at: datetime) -> dict[str, str]:
    """The attributes that put a row into the index `listing`, under its kind."""
    return {"list_key": list_key(kind, row_id), "list_at": f"{at.isoformat()}#{row_id}"}
