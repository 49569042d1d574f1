"""The composition root: builds what a function needs, once per Lambda container and at its first use."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import cache, cached_property, partial
from pathlib import Path
from tempfile import gettempdir
from threading import Thread
from typing import TYPE_CHECKING, Any

from functions.runtime.adapters import Adapters
from functions.runtime.settings import canary_digest, settings

if TYPE_CHECKING:
    from cloud.dynamodb.erasure import DynamoPersonData
    from cloud.dynamodb.people import DynamoPeople
    from cloud.dynamodb.pointers import CachedPointers
    from functions.api.model_cards import DeployedModel
    from functions.runtime.sqs_batch import LaneRuntime
    from functions.runtime.telemetry import LaneTelemetry
    from vigil.inference.card import InputLimits
    from vigil.inference.repository import BundledModels, ReleaseCache
    from vigil.inference.types import Models
    from vigil.people.enrolment import EnrolmentService
    from vigil.people.erasure import ErasureService
    from vigil.people.galleries import GalleryRepository
    from vigil.people.indexing import IndexingService
    from vigil.people.models import FaceReleases
    from vigil.people.reembedding import ReembeddingService
    from vigil.releases.drift import DriftMonitor
    from vigil.releases.manifest import RemovedTrainingData
    from vigil.releases.registration import CandidateReleases
    from vigil.releases.routing import RolloutRouter
    from vigil.reliability.controller import ControllerPolicy, ControllerState
    from vigil.reliability.degradation import DegradationStep
    from vigil.reliability.reconcile import ObjectListing, ReconcilePorts
    from vigil.reliability.slo import Objective
    from vigil.reliability.triage import TriagePorts
    from vigil.training.dataset_store import DatasetBuilder, DatasetStore
    from vigil.training.service import TrainingService

GALLERY_REFRESH_S = 2.0
"""Seconds within which a warm lane notices a new gallery or new rules."""

GALLERY_STALE_S = 5 * GALLERY_REFRESH_S
"""Age in seconds from which a replaced gallery counts as stale; the objective gallery-freshness uses it."""

DEGRADATION_REFRESH_S = 5.0
"""Seconds within which a warm lane notices another degradation level."""

POINTERS_REFRESH_S = 3.0
"""Seconds within which a warm function notices another active release."""

TRAINING_RULES_REFRESH_S = 30.0
"""Seconds for which the rules are cached while a data set is built."""

INDEX_DELAY_S = 2.5
"""Seconds within which a stored row is in the index where erasure searches for it."""

SHUTDOWN_MARGIN_S = 5.0
"""A run begins nothing new in the last seconds of its invocation."""


class Container(Adapters):
    """The use cases of the functions, each with its adapters."""

    @cached_property
    def bundled_models(self) -> BundledModels:
        """The models in the models layer; every prediction reads the gallery in force."""
        return self._bundled_models(0.0)

    @cached_property
    def lane_models(self) -> BundledModels:
        """The same for a lane, which reads the gallery in force every two seconds."""
        return self._bundled_models(GALLERY_REFRESH_S)

    def _bundled_models(self, gallery_max_age_s: float) -> BundledModels:
        from cloud.dynamodb.pointers import CachedGallery
        from vigil.faces.gallery import Gallery
        from vigil.faces.recognizer import open_face_recognizer
        from vigil.inference.kinds import CARD_KINDS
        from vigil.inference.repository import BundledModels

        @cache
        def gallery_source(name: str, space: str) -> CachedGallery[Gallery]:
            return CachedGallery(
                self.dynamodb,
                self.settings.people_table,
                name=name,
                space=space,
                load=partial(self.galleries.load, space),
                empty=Gallery(space),
                max_age_s=gallery_max_age_s,
                on_use=self.lane_telemetry.record_gallery_age if gallery_max_age_s else None,
                on_invalid=self.lane_telemetry.record_invalid if gallery_max_age_s else None,
            )

        faces = partial(open_face_recognizer, lambda name, space: gallery_source(name, space)())
        return BundledModels(self.settings.models_dir, {"faces": faces, **CARD_KINDS})

    def _rollout_router(self, bundled: BundledModels) -> RolloutRouter:
        """Routes to the releases that the pointers name; they are downloaded to /tmp in the background."""
        from vigil.releases.routing import RolloutRouter

        releases = self._release_cache(
            bundled,
            "releases",
            run_in_background=lambda task: Thread(target=task, daemon=True).start(),
            on_failure=self._log_failed_download,
        )
        return RolloutRouter(self._pointers, releases, bundled)

    @cached_property
    def _pointers(self) -> CachedPointers:
        from cloud.dynamodb.pointers import CachedPointers

        return CachedPointers(self.dynamodb, self.settings.records_table, max_age_s=POINTERS_REFRESH_S)

    def _release_cache(self, bundled: BundledModels, folder: str, **options: Any) -> ReleaseCache:
        from vigil.inference.repository import ReleaseCache, ReleaseCacheConfig

        path = Path(gettempdir()) / folder
        config = ReleaseCacheConfig(
            folder=path, fetch=self.release_files.fetch, factories=bundled.factories, **options
        )
        return ReleaseCache(config)

    def _log_failed_download(self, model: str, release: str, reason: str) -> None:
        fields = {"model": model, "release": release, "detail": reason}
        self.logger.warning("release-download-failed", extra=fields)

    @cached_property
    def active_models(self) -> Models:
        """The active release of every model, for predictions outside the lanes."""
        return self._rollout_router(self.bundled_models)

    @cached_property
    def candidate_releases(self) -> CandidateReleases:
        """Stored and bundled releases, opened to compare them."""
        from vigil.releases.registration import CandidateReleases

        return CandidateReleases(
            files=self.release_files,
            cache=self._release_cache(self.bundled_models, "candidates"),
            bundled=self.bundled_models,
            active_release=lambda model: self.releases.read_releases(model).pointers.active,
        )

    @cached_property
    def drift_monitor(self) -> DriftMonitor:
        from vigil.releases.drift import DriftMonitor, default_drift_policy
        from vigil.reliability.time_scale import scale_durations

        return DriftMonitor(
            sketches=self.output_sketches,
            state=self.training_state,
            active_release=self.candidate_releases.active_release_id,
            policy=scale_durations(default_drift_policy(), self.settings.minute),
        )

    @cached_property
    def model_cards(self) -> dict[str, DeployedModel]:
        from functions.api.model_cards import read_deployed_models

        return read_deployed_models(self.settings.cards_dir)

    @cached_property
    def input_limits(self) -> Callable[[str], InputLimits]:
        """What the card of a model says about its input; the model itself is not opened."""
        from vigil.errors import UnknownModel
        from vigil.inference.release import CARD_FILE, load_card

        @cache
        def load(model: str) -> InputLimits:
            limits = load_card(self.settings.cards_dir / model / CARD_FILE).accepts
            if limits is None:
                raise UnknownModel(f"the model {model!r} accepts no files")
            return limits

        return load

    @cached_property
    def lane_runtime(self) -> LaneRuntime:
        """The lane that this function serves."""
        self.settings.open_preloaded(self.lane_models.get)
        from cloud.cloudwatch import ReleaseMetrics
        from functions.runtime.sqs_batch import LaneRuntime
        from functions.runtime.telemetry import DriftTelemetry, ReleaseTelemetry
        from vigil.drops.process import ProcessingPorts

        env = self.settings
        metrics = ReleaseMetrics(env.metrics_namespace)
        queues = (self._queue(env.queue_url), self.lane_queue("clips"), env.photos_bucket)
        releases = ReleaseTelemetry(metrics, self.release_health.add, self.comparisons.save, self._pointers)
        ports = ProcessingPorts(
            self.ledger(env.lane),
            self.input_reader,
            self._rollout_router(self.lane_models),
            self.rules(GALLERY_REFRESH_S, self.lane_telemetry.record_invalid),
            self.clock,
            self._active_degradation(),
            canary_digest=canary_digest(),
        )
        telemetry = (self.lane_telemetry, releases, DriftTelemetry(self.output_sketches.add))
        lane = (ports, *queues, env.lease, self.logger, *telemetry, self.deadline)
        return LaneRuntime(*lane, is_fair=env.lane == "live")

    @cached_property
    def lane_telemetry(self) -> LaneTelemetry:
        from functions.runtime.telemetry import LaneTelemetry

        env = self.settings
        save_counts = partial(self.lane_counts.add, env.lane)
        return LaneTelemetry(self.metrics, save_counts, env.age_target, env.memory_mb, GALLERY_STALE_S)

    def _active_degradation(self) -> Callable[[], Sequence[DegradationStep]]:
        """Only the live lane is degraded: drops of the bulk lane may wait."""
        from cloud.dynamodb.state import CachedDegradation
        from vigil.reliability.degradation import default_steps

        if self.settings.lane != "live":
            return lambda: ()
        return CachedDegradation(self.state_store, default_steps(), max_age_s=DEGRADATION_REFRESH_S)

    @cached_property
    def triage_ports(self) -> TriagePorts:
        from cloud.dynamodb.maintenance_state import DynamoFaultCases, load_controller_state
        from vigil.reliability.controller import is_healthy
        from vigil.reliability.lane_counts import LANES
        from vigil.reliability.time_scale import scale_durations
        from vigil.reliability.triage import TriagePolicy, TriagePorts

        minute = self.settings.minute
        return TriagePorts(
            queues={lane: self.dead_letters(lane, 1.5 * minute) for lane in LANES},
            records=self.drop_records,
            notes=self.drop_records,
            cases=DynamoFaultCases(self.state_store),
            ledger=self.ledger("bulk"),
            notifier=self.operators,
            is_healthy=lambda dependency: is_healthy(
                load_controller_state(self.state_store, self._initial_controller_state), dependency
            ),
            clock=self.clock,
            policy=scale_durations(TriagePolicy(), minute),
        )

    def _initial_controller_state(self) -> ControllerState:
        from vigil.reliability.controller import initial_state

        return initial_state(self.controller_policy.limits, self.clock())

    @cached_property
    def controller_policy(self) -> ControllerPolicy:
        from vigil.reliability.capacity import CapacityLimits
        from vigil.reliability.circuit_breaker import BreakerPolicy
        from vigil.reliability.controller import ControllerPolicy
        from vigil.reliability.degradation import DegradationPolicy, default_steps
        from vigil.reliability.time_scale import scale_durations

        env = self.settings
        limits = CapacityLimits(
            total=env.workers, live_min=env.min_live_workers, age_target_s=env.age_target.total_seconds()
        )
        return ControllerPolicy(
            limits,
            max_degradation_level=len(default_steps()),
            breaker=scale_durations(BreakerPolicy(), env.minute, unscaled=("window",)),
            degradation=scale_durations(DegradationPolicy(), env.minute),
        )

    def reconcile_ports(self, context: Any, listing: ObjectListing) -> ReconcilePorts:
        """For one invocation: nothing new begins shortly before its end."""
        from cloud.dynamodb.maintenance_state import DynamoReannouncements
        from cloud.s3_events import announcement
        from vigil.reliability.reconcile import ReconcilePolicy, ReconcilePorts
        from vigil.reliability.time_scale import scale_durations

        env, policy = self.settings, ReconcilePolicy(retention=self.settings.retention)
        return ReconcilePorts(
            objects=listing,
            records=self.drop_records.eventually_consistent(),
            bulk_queue=self.lane_queue("bulk"),
            reannouncements=DynamoReannouncements(self.dynamodb, env.records_table),
            announcement=announcement,
            clock=self.clock,
            has_time=lambda: context.get_remaining_time_in_millis() > SHUTDOWN_MARGIN_S * 1000,
            policy=scale_durations(policy, env.minute, unscaled=("remembers",)),
        )

    @cached_property
    def slo_objectives(self) -> tuple[Objective, ...]:
        from vigil.reliability.slo import parse_objectives

        return parse_objectives((self.settings.cards_dir / "slo.toml").read_text("utf-8"))

    @cached_property
    def people(self) -> DynamoPeople:
        from cloud.dynamodb.people import DynamoPeople
        from vigil.people.galleries import store_changed_segments

        store_gallery = partial(store_changed_segments, self.store)
        return DynamoPeople(self.dynamodb, self.settings.people_table, store_gallery=store_gallery)

    @cached_property
    def galleries(self) -> GalleryRepository:
        from vigil.people.galleries import GalleryRepository

        return GalleryRepository(self.people, self.store)

    @cached_property
    def face_releases(self) -> FaceReleases:
        from vigil.people.models import FaceReleases
        from vigil.releases.routing import ReleasesInUse

        name = self.settings.enrolment_model
        cache = self._release_cache(self.bundled_models, "releases-in-use")
        read, fetch = partial(self.releases.read_releases, name), partial(cache.fetch_and_open, name)
        releases = ReleasesInUse(name, bundled=self.bundled_models, read_releases=read, open_release=fetch)
        return FaceReleases(releases, self.galleries, self.templates)

    @cached_property
    def enrolment(self) -> EnrolmentService:
        from vigil.people.enrolment import EnrolmentService

        return EnrolmentService(
            people=self.people,
            galleries=self.galleries,
            models=self.face_releases,
            photos=self.input_reader,
            store=self.store,
            store_reference_images=self.settings.store_reference_images,
            clock=self.clock,
        )

    @cached_property
    def indexing(self) -> IndexingService:
        from vigil.people.indexing import IndexingService

        return IndexingService(self.enrolment, self.people, self.templates, self.face_releases)

    @cached_property
    def person_data(self) -> DynamoPersonData:
        from cloud.dynamodb.erasure import DynamoPersonData

        return DynamoPersonData(self.dynamodb, self.settings.records_table, self.settings.callers_table)

    @cached_property
    def erasure(self) -> ErasureService:
        from vigil.people.erasure import ErasureService

        return ErasureService(
            records=self.people,
            personal_data=self.person_data,
            galleries=self.galleries,
            templates=self.templates,
            unknown_faces=self.unknown_faces,
            datasets=self.dataset_store,
            objects=self.store,
            wait_for_index=partial(time.sleep, INDEX_DELAY_S),
            clock=self.clock,
        )

    @cached_property
    def reembedding(self) -> ReembeddingService:
        from vigil.people.reembedding import ReembeddingService

        return ReembeddingService(
            photos=self.templates,
            galleries=self.galleries,
            people=self.people,
            models=self.face_releases,
            segments=self.store,
            unknown_faces=self.unknown_faces,
            clock=self.clock,
        )

    @cached_property
    def training(self) -> TrainingService:
        from vigil.reliability.time_scale import scale_durations
        from vigil.training.jobs import default_instance_pool
        from vigil.training.schedule import RetrainingPolicy
        from vigil.training.service import TrainingConfig, TrainingService

        env = self.settings
        config = TrainingConfig(
            image=env.trainer_image,
            pool=scale_durations(default_instance_pool(spot=env.training_spot), env.minute),
            retraining=scale_durations(RetrainingPolicy(), env.minute),
        )
        return TrainingService(
            runs=self.training_jobs,
            labels=self.labels,
            datasets=self.dataset_builder,
            objects=self.object_store,
            state=self.training_state,
            drift=self.drift_monitor,
            releases=self.releases,
            candidates=self.candidate_releases,
            trainer=self.trainer,
            config=config,
            clock=self.clock,
        )

    @cached_property
    def dataset_store(self) -> DatasetStore:
        from cloud.s3.datasets import S3DatasetRepository
        from vigil.training.dataset_store import DatasetStore

        def record_removal(model: str, data: str, removed: RemovedTrainingData) -> None:
            for release in self.releases.trained_on(model, data):
                self.release_files.record_removed_data(model, release, removed)

        return DatasetStore(S3DatasetRepository(self.object_store), record_removal)

    @cached_property
    def dataset_builder(self) -> DatasetBuilder:
        from concurrent.futures import ThreadPoolExecutor

        from vigil.people.consent import TRAINING_CONSENT_TAG
        from vigil.training.dataset_store import DatasetBuilder
        from vigil.training.examples import TrainingPolicy

        def has_consented(person_id: str) -> bool | None:
            person = self.people.find_person(person_id)
            return TRAINING_CONSENT_TAG in person.tags if person else None

        rules = self.rules(TRAINING_RULES_REFRESH_S)
        policy = TrainingPolicy(
            find_drop=self.training_drops.get_drop,
            source_policy=lambda source: rules().source_settings(source).training_policy,
            has_consented=has_consented,
            fetch_object=self.input_reader.fetch,
        )
        return DatasetBuilder(self.dataset_store, policy, ThreadPoolExecutor(8).map)


@cache
def container() -> Container:
    """The container of this process."""
    return Container(settings())


def warm_up(build: Callable[[Container], object]) -> None:
    """On Lambda, build while the container starts instead of at the first event."""
    if settings().on_lambda:
        build(container())
