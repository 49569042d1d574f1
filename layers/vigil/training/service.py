"""Orders training jobs, follows them to their end, and registers the releases that they produce."""

import hashlib
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from vigil.errors import Transient, VigilError
from vigil.inference.types import Model
from vigil.releases.drift import DriftMonitor, DriftResult, sketch_of
from vigil.releases.lifecycle import registered_state
from vigil.releases.manifest import ReleaseManifest
from vigil.releases.registration import (
    CandidateReleases,
    build_manifest,
    read_model_archive,
    register_release,
)
from vigil.releases.rollout import ReleaseRecord
from vigil.statistics import Interval
from vigil.training.dataset import SplitPolicy
from vigil.training.dataset_store import (
    DatasetBuilder,
    is_expired,
    is_withdrawn,
    prune_dataset,
    publish_dataset,
    read_test_set,
)
from vigil.training.jobs import (
    InstancePool,
    JobAccepted,
    JobEvent,
    JobRefused,
    TrainingJob,
    TrainingJobRequest,
    TrainingLimits,
    TrainingPaths,
    TrainingResult,
    TrainingRun,
    TrainingSpec,
    apply_event,
    estimate_cost,
    new_job,
    resume_if_due,
    retry,
    training_cost,
    training_job_request,
)
from vigil.training.labels import Label
from vigil.training.schedule import RetrainingPolicy, is_due

PRUNE_INTERVAL = timedelta(hours=1)
"""The shortest time between two prunings of the stored data sets."""

DEFAULT_LIMITS = TrainingLimits(max_run_s=4 * 3600, max_wait_s=8 * 3600, volume_gb=30)

DEFAULT_JOB_DURATION_S = 1800.0
"""The expected duration of a model's first job."""


class TrainingUnavailable(VigilError):
    """The model has no recipe or no test set, or the deployment has no container to train in."""


@dataclass(frozen=True, slots=True)
class LastTraining:
    """The data set of a model's last training, and when it was ordered."""

    dataset_id: str
    at: datetime


class JobRunner(Protocol):
    """Starts jobs and reports how they ended. Raises Transient."""

    def create_job(self, request: TrainingJobRequest) -> JobAccepted | JobRefused:
        """Create the job; a job of the same name is the same job."""

    def find_outcome(self, name: str) -> JobEvent | None:
        """How a job ended; None while it runs."""


class Trainer(JobRunner, Protocol):
    """Also returns what a job produced."""

    def result(self, name: str) -> TrainingResult:
        """The result of a completed job. Raises Transient."""


class TrainingRuns(Protocol):
    """The stored training runs. All raise Transient."""

    def for_model(self, model: str) -> Sequence[TrainingRun]:
        """The newest first."""

    def find(self, spec_id: str) -> TrainingRun | None: ...

    def save(self, run: TrainingRun) -> None: ...


class LabelReader(Protocol):
    """The stored labels. Raises Transient."""

    def for_model(self, model: str, since: datetime | None = None) -> Iterable[Label]:
        """A model's labels; with `since`, only those given or changed from then on."""


class TrainingState(Protocol):
    """What training remembers from one run to the next. All raise Transient."""

    def trained_models(self) -> Sequence[str]: ...

    def last_training(self, model: str) -> LastTraining:
        """Of one of the trained models."""

    def save_last_training(self, model: str, last: LastTraining) -> None: ...

    def pruned_at(self) -> datetime | None: ...

    def save_pruned_at(self, at: datetime) -> None: ...


class TrainingObjects(Protocol):
    """Recipes and archives by key; objects have URLs. Raises Transient."""

    def exists(self, key: str) -> bool: ...
    def put_object(self, key: str, data: bytes) -> None: ...
    def get_object(self, key: str) -> bytes: ...
    def url_for(self, key: str) -> str: ...

    def key_for(self, url: str) -> str: ...


class ReleaseRegister(Protocol):
    """The stored releases. Raises Transient."""

    def register(
        self, record: ReleaseRecord, /, *, bundled: str | None, data: str, parent: str | None
    ) -> bool:
        """Register a release once; whether it was new."""


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """How a deployment trains.

    image  URI of the training container; empty if the deployment has none
    """

    image: str
    pool: InstancePool
    limits: TrainingLimits = DEFAULT_LIMITS
    retraining: RetrainingPolicy = field(default_factory=RetrainingPolicy)


@dataclass(frozen=True, slots=True)
class TrainingService:
    """Training, from the order to the registered release."""

    runs: TrainingRuns
    labels: LabelReader
    datasets: DatasetBuilder
    objects: TrainingObjects
    state: TrainingState
    drift: DriftMonitor
    releases: ReleaseRegister
    candidates: CandidateReleases
    trainer: Trainer
    config: TrainingConfig
    clock: Callable[[], datetime]

    def order(self, model: str, recipe: str | None) -> TrainingRun:
        """Order a training on the present labels; the same labels and recipe give the same job.

        recipe  TOML; None: the recipe of the model's last training

        Raises TrainingUnavailable, InsufficientData, Transient.
        """
        if not self.config.image:
            raise TrainingUnavailable(
                "set the template's parameter TrainerImage to the container of models/training"
            )
        now, text = self.clock(), recipe or self._latest_recipe(model)
        labels = self.labels.for_model(model)
        dataset = publish_dataset(model, labels, split_policy(text), self.datasets, now=now)
        self.objects.put_object(_recipe_key(model, text), text.encode())
        self.objects.put_object(f"recipes/{model}.toml", text.encode())
        self.state.save_last_training(model, LastTraining(dataset.id, now))
        parent = self.candidates.active_release_id(model)
        spec = TrainingSpec("classifier", model, dataset.id, text, parent, self.config.image)
        existing = self.runs.find(spec.id)
        run = replace(existing, job=retry(existing.job, now)) if existing else TrainingRun(new_job(spec, now))
        self.runs.save(run)
        return run

    def advance(self, run: TrainingRun) -> TrainingRun:
        """Update a run from its trainer, and submit its job if it is due. Raises Transient."""
        now, pool, limits = self.clock(), self.config.pool, self.config.limits
        job = refresh(run.job, self.trainer, pool=pool, now=now)
        job = submit(job, self.trainer, paths=self._paths(job), pool=pool, limits=limits, now=now)
        estimated = run.expected_usd and run.job.instance_index == job.instance_index
        run = replace(run, job=job)
        run = run if estimated else self._with_estimate(run)
        self.runs.save(run)
        return run

    def register_result(self, run: TrainingRun) -> TrainingRun:
        """Register the release that a completed job produced; a result that cannot be used is noted.

        Raises Transient.
        """
        try:
            run = self._register_result(run)
        except Transient:
            raise
        except VigilError as error:
            run = replace(run, failure_note=f"{type(error).__name__}: {error}")
        self.runs.save(run)
        return run

    def register_external(self, model: str, archive_key: str) -> ReleaseRecord:
        """Register a release from the archive at a key in the store, evaluated as any other.

        Raises TrainingUnavailable, InvalidModelArchive, BrokenRelease, Transient.
        """
        if model not in self.state.trained_models():
            raise TrainingUnavailable(f"{model} was never trained here: there is no test set to evaluate it")
        dataset_id = self.state.last_training(model).dataset_id
        files = read_model_archive(self.objects.get_object(archive_key), model)
        parent = self.candidates.active_release_id(model)
        manifest = build_manifest(model, files, parent=parent, data=dataset_id, recipe=None)
        return self._register_on_test_set(manifest, files, dataset_id)

    def register_enrolment_release(
        self, model: str, archive_key: str, compare: Callable[[Model], tuple[Interval, Interval]]
    ) -> ReleaseRecord:
        """Register a release of the enrolment model, which is compared on enrolled people, not on labels.

        compare  a candidate's identification rate, and its difference from the active release's

        Raises TooFewEnrolled, InvalidModelArchive, BrokenRelease, Transient.
        """
        files = read_model_archive(self.objects.get_object(archive_key), model)
        parent = self.candidates.active_release_id(model)
        manifest = build_manifest(model, files, parent=parent, data=None, recipe=None)
        self.candidates.store_release(manifest, files)
        rate, gain = compare(self.candidates.open_model(model, manifest.id))
        record = ReleaseRecord(registered_state(model, manifest.id, self.clock()), rate, gain)
        bundled = self.candidates.bundled_release_id(model)
        self.releases.register(record, bundled=bundled, data="", parent=parent)
        return record

    def due_models(self) -> Iterator[str]:
        """Trained models that have enough new labels. Raises Transient."""
        for model in self.state.trained_models():
            since = self.state.last_training(model).at
            times = [label.labelled_at for label in self.labels.for_model(model, since)]
            if is_due(times, self.config.retraining, self.clock(), last_trained_at=since):
                yield model

    def drifted_models(
        self, drift: Mapping[str, DriftResult], min_duration: timedelta = timedelta(0)
    ) -> Iterator[str]:
        """Trained models that have drifted for `min_duration` and are not being retrained.

        drift  by model, as measured now
        """
        trained, now = self.state.trained_models(), self.clock()
        for model, result in drift.items():
            started_at = self.drift.drifting_since(model, result, now)
            if started_at is None or now - started_at < min_duration or model not in trained:
                continue
            paused = now - self.state.last_training(model).at < self.drift.policy.retraining_pause
            if not paused and not any(run.is_open for run in self.runs.for_model(model)):
                yield model

    def prune_datasets(self) -> int:
        """At most once an hour, remove expired and withdrawn examples; how many. Raises Transient."""
        now, last = self.clock(), self.state.pruned_at()
        if last is not None and now - last < PRUNE_INTERVAL:
            return 0
        self.state.save_pruned_at(now)
        store, policy = self.datasets.store, self.datasets.policy
        return sum(
            prune_dataset(
                model,
                dataset_id,
                lambda entry: is_expired(entry, now) or is_withdrawn(policy, entry),
                store,
                now=now,
            )
            for model, dataset_id in store.repository.list_datasets()
        )

    def _register_result(self, run: TrainingRun) -> TrainingRun:
        spec, result = run.job.spec, self.trainer.result(run.job.name)
        archive = self.objects.get_object(self.objects.key_for(result.archive_url))
        files = read_model_archive(archive, spec.model)
        recipe = hashlib.sha256(spec.recipe.encode()).hexdigest()
        manifest = build_manifest(spec.model, files, parent=spec.parent, data=spec.dataset_id, recipe=recipe)
        record = self._register_on_test_set(manifest, files, spec.dataset_id)
        instance_type = self.config.pool.instance_types[run.job.instance_index]
        cost = training_cost(instance_type, training_s=result.run_s, billable_s=result.billable_s)
        return replace(
            run, release=record.state.release, cost_usd=round(cost.billed_usd, 6), run_s=result.run_s
        )

    def _register_on_test_set(
        self, manifest: ReleaseManifest, files: Mapping[str, bytes], dataset_id: str
    ) -> ReleaseRecord:
        """Compare with the active release on the test set; the outputs become the drift reference."""
        items = read_test_set(manifest.model, dataset_id, self.datasets.store.repository)
        record = register_release(
            manifest,
            files,
            items,
            releases=self.candidates,
            save=lambda new, bundled, data, parent: self.releases.register(
                new, bundled=bundled, data=data or "", parent=parent
            ),
            now=self.clock(),
        )
        model = self.candidates.open_release(manifest.model, manifest.id)
        sightings = (one for _, data in items for one in model.predict(data, {}, _ignore_stage).sightings)
        self.drift.state.save_reference(manifest.model, manifest.id, sketch_of(sightings))
        return record

    def _with_estimate(self, run: TrainingRun) -> TrainingRun:
        """With the estimated cost on the present instance type; the last run's duration is expected again."""
        durations_s = [one.run_s for one in self.runs.for_model(run.job.spec.model) if one.run_s]
        cost = estimate_cost(
            self.config.pool.instance_types[run.job.instance_index],
            spot=self.config.pool.spot,
            expected_s=durations_s[0] if durations_s else DEFAULT_JOB_DURATION_S,
            limits=self.config.limits,
        )
        return replace(run, expected_usd=round(cost.expected_usd, 4), max_usd=round(cost.max_usd, 4))

    def _paths(self, job: TrainingJob) -> TrainingPaths:
        spec, url_for = job.spec, self.objects.url_for
        dataset_folder = self.datasets.store.repository.folder(spec.model, spec.dataset_id)
        return TrainingPaths(
            dataset=url_for(dataset_folder),
            recipe=url_for(_recipe_key(spec.model, spec.recipe).removesuffix("recipe.toml")),
            output=url_for("jobs"),
            checkpoints=url_for("checkpoints"),
        )

    def _latest_recipe(self, model: str) -> str:
        key = f"recipes/{model}.toml"
        if not self.objects.exists(key):
            raise TrainingUnavailable(f"{model} was never trained: its first training needs a recipe")
        return self.objects.get_object(key).decode()


def submit(
    job: TrainingJob,
    trainer: JobRunner,
    *,
    paths: TrainingPaths,
    pool: InstancePool,
    limits: TrainingLimits,
    now: datetime,
) -> TrainingJob:
    """Request a due job on one instance type after another, until one accepts it or it has to wait."""
    job = resume_if_due(job, now)
    while job.state == "requested":
        job_request = training_job_request(
            job.spec,
            attempt=job.attempt,
            paths=paths,
            instance_type=pool.instance_types[job.instance_index],
            use_spot=pool.spot,
            limits=limits,
        )
        job = apply_event(job, trainer.create_job(job_request), attempt_name=job.name, pool=pool, now=now)
    return job


def refresh(job: TrainingJob, trainer: JobRunner, *, pool: InstancePool, now: datetime) -> TrainingJob:
    """A running job as its trainer reports it, so that a lost event loses nothing."""
    if job.state != "running":
        return job
    event = trainer.find_outcome(job.name)
    return job if event is None else apply_event(job, event, attempt_name=job.name, pool=pool, now=now)


def split_policy(recipe: str) -> SplitPolicy:
    """The split options in a recipe's table [data], if it has one."""
    table = tomllib.loads(recipe).get("data", {})
    names = ("validation", "test", "max_hash_distance", "salt")
    return SplitPolicy(**{name: table[name] for name in names if name in table})


def _recipe_key(model: str, text: str) -> str:
    return f"recipes/{model}/{hashlib.sha256(text.encode()).hexdigest()[:32]}/recipe.toml"


def _ignore_stage(_: str) -> None:
    """Nothing measures the stages here."""
