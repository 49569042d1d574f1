"""Registers what a training job produced as a release: unpack, store, evaluate on the test split, record."""

import hashlib
import io
import tarfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigil.errors import BrokenRelease, UnknownModel, VigilError
from vigil.inference.classifier import Classifier
from vigil.inference.evaluation import ScoredDataset, metric_interval, paired_gain
from vigil.inference.network.check import check_files
from vigil.inference.repository import ReleaseCache
from vigil.inference.types import Model, Models
from vigil.releases.lifecycle import registered_state
from vigil.releases.manifest import ReleaseManifest
from vigil.releases.rollout import ReleaseRecord
from vigil.statistics import Interval
from vigil.toml_file import parse_toml

MAX_UNPACKED_BYTES = 250_000_000
"""Limit of the unpacked size, which must fit into a function's /tmp."""


class InvalidModelArchive(VigilError):
    """The archive is damaged or has other content than a release's files."""


def read_model_archive(data: bytes, model: str) -> Mapping[str, bytes]:
    """The files of folder `model` by name. Raises InvalidModelArchive."""
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
            files = dict(_archive_files(archive, model))
    except (tarfile.TarError, OSError, EOFError) as error:
        raise InvalidModelArchive(f"model.tar.gz cannot be read: {error}") from error
    if "card.toml" not in files:
        raise InvalidModelArchive(f"model.tar.gz has no {model}/card.toml")
    return files


def _archive_files(archive: tarfile.TarFile, model: str) -> list[tuple[str, bytes]]:
    files, remaining_bytes = [], MAX_UNPACKED_BYTES
    for member in archive:
        folder, slash, name = member.name.removeprefix("./").partition("/")
        if member.isdir() or folder != model or not slash:
            continue
        body = archive.extractfile(member) if member.isfile() else None
        remaining_bytes -= member.size
        if body is None or "/" in name or remaining_bytes < 0:
            raise InvalidModelArchive(
                f"{member.name[:100]!r} in model.tar.gz is not a regular file or too large"
            )
        files.append((name, body.read()))
    return files


class ExampleLabel(Protocol):
    """The label and the group of an item of the test split."""

    @property
    def label(self) -> str: ...
    @property
    def group(self) -> str: ...


LabelledItems = Sequence[tuple[ExampleLabel, bytes]]
"""Items with their file's bytes."""


class Scorer(Protocol):
    """A classifier that can be evaluated."""

    @property
    def labels(self) -> tuple[str, ...]: ...
    @property
    def threshold(self) -> float: ...

    def scores(self, data: bytes) -> NDArray[np.float32]:
        """(L,) float32, 0 to 1, in the order of `labels`. Raises Rejected, BrokenRelease."""


def score_test_set(model: Scorer, items: Iterable[tuple[ExampleLabel, bytes]]) -> ScoredDataset:
    """Score each item with the code that serves the model; labels that it does not know score 0."""
    entries, rows = [], []
    for entry, data in items:
        entries.append(entry)
        rows.append(model.scores(data))
    scores = np.stack(rows).astype(np.float64)
    unknown = sorted({entry.label for entry in entries} - set(model.labels))
    labels = (*model.labels, *unknown)
    if len(model.labels) == 1:
        scores, labels = np.hstack([1 - scores, scores]), (*unknown[:1], *model.labels, *unknown[1:])
    label_index = {label: number for number, label in enumerate(labels)}
    return ScoredDataset(
        labels,
        np.array([label_index[entry.label] for entry in entries], np.int64),
        np.hstack([scores, np.zeros((len(scores), len(labels) - scores.shape[1]))]),
        groups=tuple(entry.group for entry in entries),
    )


def compare_with_active(
    candidate: Scorer, active: Scorer | None, items: LabelledItems
) -> tuple[Interval, Interval | None]:
    """The candidate's accuracy and its gain over the active release on the same items."""
    candidate_scores = score_test_set(candidate, items)
    if active is None:
        return metric_interval(candidate_scores), None
    return metric_interval(candidate_scores), paired_gain(candidate_scores, score_test_set(active, items))


class ReleaseStore(Protocol):
    """Stores and opens releases. Raises BrokenRelease, Transient."""

    def store_release(self, release: ReleaseManifest, files: Mapping[str, bytes]) -> None:
        """Store a release's files under its id."""

    def open_release(self, model: str, release: str) -> Scorer:
        """A stored release, verified and opened."""

    def open_active(self, model: str) -> Scorer | None:
        """The active release; None if the model is new."""

    def bundled_release_id(self, model: str) -> str | None:
        """The id of the release that ships with the functions."""


RegisterRelease = Callable[[ReleaseRecord, str | None, str | None, str | None], bool]
"""Saves (record, bundled release, dataset, parent) unless the release is registered already."""


def register_release(
    manifest: ReleaseManifest,
    files: Mapping[str, bytes],
    items: LabelledItems,
    *,
    releases: ReleaseStore,
    save: RegisterRelease,
    now: datetime,
) -> ReleaseRecord:
    """Store, verify, evaluate, record; idempotent. Raises BrokenRelease, Transient."""
    model = manifest.model
    if not items:
        raise BrokenRelease(f"there is no test split to evaluate release {manifest.id} of {model} on")
    releases.store_release(manifest, files)
    metric, gain = compare_with_active(
        releases.open_release(model, manifest.id), releases.open_active(model), items
    )
    standing = ReleaseRecord(registered_state(model, manifest.id, now), metric, gain)
    save(standing, releases.bundled_release_id(model), manifest.dataset_id, manifest.parent)
    return standing


class _CardLicence(msgspec.Struct):
    spdx: str


class _CardOrigin(msgspec.Struct):
    """The tables of any kind of model card that its manifest repeats."""

    licence: _CardLicence
    quality: Mapping[str, Any] = msgspec.field(default_factory=dict)


def build_manifest(
    model: str, files: Mapping[str, bytes], *, parent: str | None, data: str | None, recipe: str | None
) -> ReleaseManifest:
    """The manifest of a release from its files and origin. Raises InvalidToml."""
    card = parse_toml(f"{model}/card.toml", files["card.toml"]).convert(_CardOrigin)
    quality = {
        name: float(value)
        for name, value in card.quality.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    return ReleaseManifest(
        model=model,
        digests={name: hashlib.sha256(body).hexdigest() for name, body in files.items()},
        licence=card.licence.spdx,
        card=files["card.toml"].decode(),
        quality=quality,
        parent=parent,
        dataset_id=data,
        recipe_sha256=recipe,
    )


class ReleaseFiles(Protocol):
    """Where the files of releases are stored. Raises Transient."""

    def put_release(self, release: ReleaseManifest, files: Mapping[str, bytes]) -> None: ...


@dataclass(frozen=True, slots=True)
class CandidateReleases:
    """Port ReleaseStore: stored releases and bundled models, opened to be compared.

    active_release  the pointer to a model's active release; raises Transient
    """

    files: ReleaseFiles
    cache: ReleaseCache
    bundled: Models
    active_release: Callable[[str], str | None]

    def store_release(self, release: ReleaseManifest, files: Mapping[str, bytes]) -> None:
        """Check that the card fits its graph, and store. Raises BrokenRelease, Transient."""
        check_files(release.model, files)
        self.files.put_release(release, files)

    def open_release(self, model: str, release: str) -> Classifier:
        return _require_classifier(self.open_model(model, release))

    def open_model(self, model: str, release: str) -> Model:
        """A stored release of any kind, verified. Raises BrokenRelease, Transient."""
        return self.cache.fetch_and_open(model, release)

    def open_active(self, model: str) -> Classifier | None:
        release, bundled = self.active_release(model), self._bundled_model(model)
        if bundled is not None and release in (None, bundled.release):
            return _require_classifier(bundled)
        return self.open_release(model, release) if release else None

    def bundled_release_id(self, model: str) -> str | None:
        bundled = self._bundled_model(model)
        return bundled.release if bundled else None

    def active_release_id(self, model: str) -> str | None:
        """The release that answers: the active one, else the bundled one."""
        return self.active_release(model) or self.bundled_release_id(model)

    def _bundled_model(self, model: str) -> Model | None:
        try:
            return self.bundled.get(model)
        except UnknownModel:
            return None


def _require_classifier(model: Model) -> Classifier:
    if not isinstance(model, Classifier):
        raise BrokenRelease(f"{model.name} is not a classifier and cannot be evaluated on a test set")
    return model
