"""What comes before a training job and after it: recipe and data set, and the release that it leaves."""

import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from cloud.dynamodb.training_jobs import TrainingRun
from functions.runtime.container import container
from functions.runtime.release_drift import drift_policy, drift_started_at, measure_all_drift, save_reference
from vigil.errors import VigilError
from vigil.releases.drift import sketch_of
from vigil.releases.lifecycle import registered_state
from vigil.releases.manifest import ReleaseManifest
from vigil.releases.registration import build_manifest, read_model_archive, register_release
from vigil.releases.rollout import ReleaseRecord
from vigil.reliability.time_scale import scale_durations
from vigil.training.dataset import SplitPolicy
from vigil.training.dataset_store import (
    dataset_prefix,
    is_expired,
    is_withdrawn,
    list_datasets,
    prune_dataset,
    publish_dataset,
    read_test_set,
)
from vigil.training.jobs import (
    TrainingJob,
    TrainingPaths,
    TrainingSpec,
    default_instance_types,
    new_job,
    retry,
    training_cost,
)
from vigil.training.schedule import RetrainingPolicy, is_due

__all__ = (
    "TrainingRun",
    "due_models",
    "order_training",
    "register_external",
    "register_result",
    "training_paths",
)


ALARM_LOST_AFTER = timedelta(minutes=30)
"""A model that has drifted for so long, and no lesson came of it: the alarm was lost."""

PRUNE_INTERVAL = timedelta(hours=1)
"""Stored data sets are looked through no more often."""


class TrainingUnavailable(VigilError):
    """There is no recipe, or no container to train in."""


def order_training(model: str, recipe: str | None) -> TrainingRun:
    """The lesson that the labels of now and the recipe make; the same again is the same job."""
    if not container().settings.trainer_image:
        raise TrainingUnavailable(
            "set the template's parameter TrainerImage to the container of models/training"
        )
    at, text = container().clock(), recipe or _latest_recipe(model)
    data = publish_dataset(
        model, container().labels.for_model(model), split_policy(text), container().dataset_builder, now=at
    )
    container().object_store.put_object(_recipe_key(model, text), text.encode())
    container().object_store.put_object(f"recipes/{model}.toml", text.encode())
    container().state_store.put(f"last_training#{model}", {"data": data.id, "at": at.isoformat()})
    _remember_trained_model(model)
    spec = TrainingSpec(
        "classifier", model, data.id, text, _parent_release(model), container().settings.trainer_image
    )
    existing = container().training_jobs.find(spec.id)
    record = (
        replace(existing, job=retry(existing.job, container().clock()))
        if existing
        else TrainingRun(new_job(spec, container().clock()))
    )
    container().training_jobs.save(record)
    return record


def due_models() -> Iterator[str]:
    """Models that people have labelled much of since they were taught."""
    policy = scale_durations(RetrainingPolicy(), container().settings.minute)
    for model in _trained_models():
        since = datetime.fromisoformat((container().state_store.get(f"last_training#{model}") or {})["at"])
        if is_due(
            [label.labelled_at for label in container().labels.for_model(model, since)],
            policy,
            container().clock(),
            last_trained_at=since,
        ):
            yield model


def drifted_models(min_duration: timedelta = timedelta(0)) -> Iterator[str]:
    """Models that have drifted for so long, that can be taught, and were not lately."""
    trained, pause = _trained_models(), drift_policy().retraining_pause
    for model, drift in measure_all_drift().items():
        started_at = drift_started_at(model, drift)
        if started_at is None or container().clock() - started_at < min_duration or model not in trained:
            continue
        since = datetime.fromisoformat((container().state_store.get(f"last_training#{model}") or {})["at"])
        if container().clock() - since >= pause and not any(
            run.is_open for run in container().training_jobs.for_model(model)
        ):
            yield model


def prune_datasets() -> int:
    """Take out of stored data sets, once an hour, what may no longer be learned from; how much."""
    row = container().state_store.get("datasets-pruned") or {"pruned_at": ""}
    if row["pruned_at"] and container().clock() - datetime.fromisoformat(row["pruned_at"]) < PRUNE_INTERVAL:
        return 0
    at, store, register = container().clock(), container().dataset_store, container().dataset_builder.policy
    container().state_store.put("datasets-pruned", {"pruned_at": at.isoformat()})
    return sum(
        prune_dataset(
            model, data, lambda entry: is_expired(entry, at) or is_withdrawn(register, entry), store, now=at
        )
        for model, data in list_datasets(store.objects)
    )


def training_paths(job: TrainingJob) -> TrainingPaths:
    """Where a job's channels lie and its results go."""
    spec, store = job.spec, container().object_store
    return TrainingPaths(
        dataset=store.url_for(dataset_prefix(spec.model, spec.dataset_id)),
        recipe=store.url_for(_recipe_key(spec.model, spec.recipe).removesuffix("recipe.toml")),
        output=store.url_for("jobs"),
        checkpoints=store.url_for("checkpoints"),
    )


def register_result(record: TrainingRun) -> TrainingRun:
    """What a job left, examined and on record. Raises VigilError."""
    spec, description = record.job.spec, container().trainer.describe(record.job.name)
    archive = container().object_store.get_object(
        container().object_store.key_for(description["ModelArtifacts"]["S3ModelArtifacts"])
    )
    files = read_model_archive(archive, spec.model)
    recipe = hashlib.sha256(spec.recipe.encode()).hexdigest()
    manifest = build_manifest(spec.model, files, parent=spec.parent, data=spec.dataset_id, recipe=recipe)
    standing = _register_on_test_set(manifest, files, spec.dataset_id)
    seconds = (
        float(description.get("TrainingTimeInSeconds", 0)),
        float(description.get("BillableTimeInSeconds", 0)),
    )
    cost = training_cost(
        default_instance_types()[record.job.instance_index], training_s=seconds[0], billable_s=seconds[1]
    )
    return replace(
        record, release=standing.state.release, cost_usd=round(cost.billed_usd, 6), run_s=seconds[0]
    )


def register_external(model: str, archive_key: str) -> ReleaseRecord:
    """A release that was made elsewhere, through the same examination as any. Raises VigilError."""
    if model == container().settings.enrolment_model:
        return _register_on_enrolled_people(
            model, read_model_archive(container().object_store.get_object(archive_key), model)
        )
    if model not in _trained_models():
        raise TrainingUnavailable(f"{model} was never taught here: there is no reviewed set to examine it on")
    data = (container().state_store.get(f"last_training#{model}") or {})["data"]
    files = read_model_archive(container().object_store.get_object(archive_key), model)
    manifest = build_manifest(model, files, parent=_parent_release(model), data=data, recipe=None)
    return _register_on_test_set(manifest, files, data)


def _register_on_enrolled_people(model: str, files: Mapping[str, bytes]) -> ReleaseRecord:
    """A release whose outputs are compared with one another is examined on what is kept."""
    manifest = build_manifest(model, files, parent=_parent_release(model), data=None, recipe=None)
    container().candidate_releases.store_release(manifest, files)
    standing = ReleaseRecord(
        registered_state(model, manifest.id, container().clock()),
        *container().face_people.compare_on_enrolled(
            container().candidate_releases.open_model(model, manifest.id)
        ),
    )
    bundled = container().candidate_releases.bundled_release_id(model)
    container().releases.register(standing, bundled=bundled, data="", parent=manifest.parent)
    return standing


def split_policy(recipe: str) -> SplitPolicy:
    """How a recipe wants its data divided: its table [data], if it has one."""
    table = tomllib.loads(recipe).get("data", {})
    names = ("validation", "test", "max_hash_distance", "salt")
    options = {name: table[name] for name in names if name in table}
    return SplitPolicy(**options)


def _register_on_test_set(manifest: ReleaseManifest, files: Mapping[str, bytes], data: str) -> ReleaseRecord:
    """On record, measured beside the active release on what was held out; that is what it is to see later."""
    releases, items = container().releases, read_test_set(manifest.model, data, container().object_store)
    standing = register_release(
        manifest,
        files,
        items,
        releases=container().candidate_releases,
        save=lambda new, bundled, data, parent: releases.register(
            new, bundled=bundled, data=data or "", parent=parent
        ),
        now=container().clock(),
    )
    model = container().candidate_releases.open_release(manifest.model, manifest.id)
    sightings = (one for _, data in items for one in model.predict(data, {}, lambda _: None).sightings)
    save_reference(manifest.model, manifest.id, sketch_of(sightings))
    return standing


def _parent_release(model: str) -> str | None:
    """What a new release has to be better than."""
    return container().releases.read_releases(
        model
    ).pointers.active or container().candidate_releases.bundled_release_id(model)


def _trained_models() -> list[str]:
    """The models that had a lesson here."""
    return list((container().state_store.get("trained_models") or {"models": []})["models"])


def _latest_recipe(model: str) -> str:
    key = f"recipes/{model}.toml"
    if not container().object_store.exists(key):
        raise TrainingUnavailable(f"{model} was never taught: give its recipe the first time")
    return container().object_store.get_object(key).decode()


def _recipe_key(model: str, text: str) -> str:
    return f"recipes/{model}/{hashlib.sha256(text.encode()).hexdigest()[:16]}/recipe.toml"


def _remember_trained_model(model: str) -> None:
    known = _trained_models()
    if model not in known:
        container().state_store.put("trained_models", {"models": sorted([*known, model])})
