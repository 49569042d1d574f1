"""Turns a label and its drop into a training example, if its subjects permit it."""

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import PurePosixPath
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vigil.alerts.rules import ConsentPolicy
from vigil.drops.messages import S3Object
from vigil.errors import Rejected
from vigil.inference.card import InputLimits
from vigil.inference.images import decode_image
from vigil.inference.types import Box, Sighting
from vigil.people.consent import (
    is_person_id,
    is_training_allowed,
    person_ids_in,
)
from vigil.training.labels import Label

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Example:
    """A reviewed sighting or a corrected prediction.

    key           of the file, relative to its split's folder
    sha256        of its bytes, in hex: equal bytes are one example
    group         the subject: a person, a patient, a recording session; never divided between splits
    labelled_by   the reviewer's id
    has_consent   whether the subject permits training
    people        ids of all enrolled people in it, including the subject
    retain_until  when it must be deleted; None if there is no limit
    phash         perceptual hash; None if it is not a picture
    slices        properties to measure quality by: {"source": "door", "lighting": "dark"}
    """

    key: str
    sha256: str
    label: str
    group: str
    labelled_by: str
    labelled_at: datetime
    has_consent: bool
    people: tuple[str, ...] = ()
    retain_until: datetime | None = None
    phash: int | None = None
    slices: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DatasetEntry:
    """An example in a split: one line of a manifest."""

    key: str
    sha256: str
    label: str
    split: Split
    group: str
    labelled_by: str
    labelled_at: datetime
    slices: Mapping[str, str] = field(default_factory=dict)
    people: tuple[str, ...] = ()
    retain_until: datetime | None = None


HASH_SIDE_PX = 32
LOW_FREQUENCIES = 8


def perceptual_hash(image: Image.Image) -> int:
    """64 bits that change little under scaling, recompression and brightness (DCT hash).

    Each bit says whether one of the 64 lowest frequencies is above their median; bit 63 is the first
    frequency of the first row. The mean brightness is not part of the median, and its bit is always 0.
    """
    small = image.convert("L").resize((HASH_SIDE_PX, HASH_SIDE_PX), Image.Resampling.LANCZOS)
    low = (_COSINES @ np.asarray(small, np.float64) @ _COSINES.T).ravel()
    low[0] = -np.inf
    bits = low > np.median(low[1:])
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def is_within_distance(hashes: NDArray[np.uint64], reference: int, max_distance: int) -> NDArray[np.bool_]:
    """(N,) bool: which hashes differ from the reference in at most `max_distance` bits."""
    is_near: NDArray[np.bool_] = np.bitwise_count(hashes ^ np.uint64(reference)) <= max_distance
    return is_near


def _cosine_transform() -> NDArray[np.float64]:
    """(LOW_FREQUENCIES, HASH_SIDE_PX): the lowest rows of the orthonormal DCT-II."""
    row, column = np.arange(LOW_FREQUENCIES)[:, np.newaxis], np.arange(HASH_SIDE_PX)[np.newaxis, :]
    angle = np.pi * row * (2 * column + 1) / (2 * HASH_SIDE_PX)
    cosines: NDArray[np.float64] = np.cos(angle) * np.sqrt(2 / HASH_SIDE_PX)
    cosines[0] /= np.sqrt(2)
    return cosines


_COSINES = _cosine_transform()


CROP_MARGIN = 0.3
"""Share of a box's sides that is added on each side, because alignment needs the surroundings."""

DARK_BELOW, BRIGHT_ABOVE = 0.25, 0.75
POOR_QUALITY, GOOD_QUALITY = 0.4, 0.7
MAX_MEASURED_SIDE_PX = 512
"""Pictures are scaled down to this side before measuring, so that invisible blur does not count."""

BLUR_WIDTH_PX = 9
SOFT_SHARPNESS, GOOD_SHARPNESS = 0.45, 0.6
"""Measured on six photographs: in focus 0.66 to 0.68; blurred by 4 pixels 0.48 to 0.59, by 8 0.36 to 0.50."""


def crop_example(image: Image.Image, box: Box) -> Image.Image:
    """The box with its margin; the box is in pixels of this image."""
    margin_x, margin_y = (box[2] - box[0]) * CROP_MARGIN, (box[3] - box[1]) * CROP_MARGIN
    left, top = max(0, int(box[0] - margin_x)), max(0, int(box[1] - margin_y))
    right, bottom = (
        min(image.width, int(box[2] + margin_x) + 1),
        min(image.height, int(box[3] + margin_y) + 1),
    )
    return image.crop((left, top, right, bottom))


def image_slices(image: Image.Image, qualities: Sequence[float]) -> dict[str, str]:
    """{"lighting": …, "quality": …}: quality as the model measured it, else from sharpness."""
    small = image.convert("L")
    small.thumbnail((MAX_MEASURED_SIDE_PX, MAX_MEASURED_SIDE_PX))
    grey = np.asarray(small, np.float32) / np.float32(255)
    brightness = float(grey.mean())
    lighting = "dark" if brightness < DARK_BELOW else "bright" if brightness > BRIGHT_ABOVE else "even"
    if qualities:
        return {"lighting": lighting, "quality": _quality_grade(min(qualities), POOR_QUALITY, GOOD_QUALITY)}
    sharp = min(sharpness(grey), sharpness(np.ascontiguousarray(grey.T)))
    return {"lighting": lighting, "quality": _quality_grade(sharp, SOFT_SHARPNESS, GOOD_SHARPNESS)}


def sharpness(grey: NDArray[np.float32]) -> float:
    """The share of changes along rows that blurring removes (Crete 2007): low if the picture is blurred.

    grey  (H, W) float32, 0..1
    """
    sums = np.cumsum(np.pad(grey, ((0, 0), (BLUR_WIDTH_PX, 0)), mode="edge"), axis=1)
    blurred = (sums[:, BLUR_WIDTH_PX:] - sums[:, :-BLUR_WIDTH_PX]) / np.float32(BLUR_WIDTH_PX)
    before, after = np.abs(np.diff(grey, axis=1)), np.abs(np.diff(blurred, axis=1))
    return float(np.maximum(before - after, 0).sum() / max(float(before.sum()), 1e-6))


def _quality_grade(value: float, poor: float, good: float) -> str:
    return "poor" if value < poor else "good" if value >= good else "fair"


MAX_IMAGE_BYTES = 10_000_000
IMAGE_LIMITS = InputLimits(
    suffixes=frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".tif", ".tiff", ".bmp"}),
    formats=("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "MPO"),
    max_bytes=MAX_IMAGE_BYTES,
    max_pixels=40_000_000,
    background_grey=128,
)
"""The input limits of examples, and of a trained classifier in training and in serving."""


@dataclass(frozen=True, slots=True)
class DropForTraining:
    """A drop's object, sightings and retention."""

    s3_object: S3Object
    sightings: tuple[Sighting, ...]
    retain_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class TrainingPolicy:
    """Decides what may be used for training.

    find_drop      None if the drop's record has expired
    has_consented  None if there is no person of this id any more
    fetch_object   an object's bytes up to a limit; raises Rejected if it is gone
    """

    find_drop: Callable[[str], DropForTraining | None]
    source_policy: Callable[[str], ConsentPolicy]
    has_consented: Callable[[str], bool | None]
    fetch_object: Callable[[S3Object, int], bytes]

    def erased_people(self, people: Sequence[str]) -> frozenset[str]:
        """The people who do not exist any more."""
        return frozenset(person for person in people if self.has_consented(person) is None)


def example_metadata(label: Label, drop: DropForTraining, policy: TrainingPolicy) -> Example:
    """The example without its picture: no byte is read before it is known to be permitted."""
    sightings = _labelled_sightings(label, drop)
    people = person_ids_in([label.label, label.predicted_label, *(one.label for one in sightings)])
    subject = label.label if is_person_id(label.label) else label.predicted_label
    return Example(
        key=drop.s3_object.key,
        sha256="",
        label=label.label,
        group=subject or label.drop,
        labelled_by=label.labelled_by,
        labelled_at=label.labelled_at,
        has_consent=is_training_allowed(
            policy.source_policy(label.source), sightings, people, lambda one: bool(policy.has_consented(one))
        ),
        people=people,
        retain_until=drop.retain_until,
        slices={"source": label.source},
    )


def with_image(
    example: Example, label: Label, drop: DropForTraining, fetch_object: Callable[[S3Object, int], bytes]
) -> tuple[Example, bytes] | None:
    """The example with its picture; None if the object is no picture, or gone after retention or erasure."""
    sightings = _labelled_sightings(label, drop)
    suffix = PurePosixPath(drop.s3_object.key).suffix.lower()
    try:
        data = fetch_object(drop.s3_object, MAX_IMAGE_BYTES)
        image = decode_image(data, IMAGE_LIMITS).image
    except Rejected:
        return None
    if label.sighting is not None and sightings and (box := sightings[0].box_px):
        image, suffix = crop_example(image, box), ".png"  # so that nobody else is copied
        data = _encode_png(image)
    digest = hashlib.sha256(data).hexdigest()
    qualities = [one.quality for one in sightings if one.quality is not None]
    result = replace(
        example,
        key=f"{digest[:32]}{suffix}",
        sha256=digest,
        phash=perceptual_hash(image),
        slices={**example.slices, **image_slices(image, qualities)},
    )
    return result, data


def _labelled_sightings(label: Label, drop: DropForTraining) -> tuple[Sighting, ...]:
    """The sightings that the label refers to."""
    if label.sighting is None:
        return drop.sightings
    return drop.sightings[label.sighting : label.sighting + 1]


def _encode_png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
