"""Opens releases, bundled and stored, that a new release is compared with."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import gettempdir

from cloud.dynamodb.releases import DynamoReleases
from cloud.s3.objects import S3ReleaseStore
from vigil.errors import BrokenRelease, UnknownModel
from vigil.inference.classifier import Classifier
from vigil.inference.repository import BundledModels, ReleaseCache, ReleaseCacheConfig
from vigil.inference.types import Model
from vigil.releases.manifest import ReleaseManifest


class CandidateReleases:
    """Classifiers are examined on labels; what is compared with what is kept is examined on that."""

    def __init__(
        self, bundled: BundledModels, releases: DynamoReleases, release_files: S3ReleaseStore
    ) -> None:
        self._bundled, self._releases, self._release_files = bundled, releases, release_files
        self._release_cache = ReleaseCache(
            ReleaseCacheConfig(
                folder=Path(gettempdir()) / "candidates",
                fetch=release_files.fetch,
                factories=bundled.factories,
            )
        )

    def store_release(self, release: ReleaseManifest, files: Mapping[str, bytes]) -> None:
        self._release_files.put_release(release, files)

    def open_release(self, model: str, release: str) -> Classifier:
        return _require_classifier(self.open_model(model, release))

    def open_model(self, model: str, release: str) -> Model:
        """A stored release of any kind, proven. Raises BrokenRelease, Transient."""
        return self._release_cache.fetch_and_open(model, release)

    def open_active(self, model: str) -> Classifier | None:
        release, bundled = self._releases.read_releases(model).pointers.active, self._bundled_model(model)
        if bundled is not None and release in (None, bundled.release):
            return _require_classifier(bundled)
        return self.open_release(model, release) if release else None

    def bundled_release_id(self, model: str) -> str | None:
        found = self._bundled_model(model)
        return found.release if found else None

    def _bundled_model(self, model: str) -> Model | None:
        try:
            return self._bundled.get(model)
        except UnknownModel:
            return None


def _require_classifier(model: Model) -> Classifier:
    if not isinstance(model, Classifier):
        raise BrokenRelease(f"{model.name} is no classifier: it cannot be examined")
    return model
