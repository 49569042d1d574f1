"""The active release answers, or the bundled one; templates are stored for those beside it too."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from tests.fakes.memory import NOON, FakeModel, SingleModel
from vigil.inference.types import Model, Prediction
from vigil.releases.lifecycle import ReleasePointers, registered_state
from vigil.releases.rollout import ModelReleases, ReleaseRecord
from vigil.releases.routing import ReleasesInUse, RolloutRouter
from vigil.statistics import Interval

METRIC = Interval(0.9, 0.8, 1.0, 100)


BUNDLED, ACTIVE = (FakeModel(Prediction((), 0), release=one) for one in ("bundled", "a"))


def in_use(pointers: ReleasePointers, *registered: str) -> tuple[str, ...]:
    """The releases in use; each of `registered` was registered after the one before it."""

    def open_release(release: str) -> Model:
        raise AssertionError(f"{release} is opened")

    states = [registered_state("eye", one, NOON + timedelta(hours=n)) for n, one in enumerate(registered)]
    releases = ModelReleases(
        "eye", pointers, 1, tuple(ReleaseRecord(one, METRIC) for one in reversed(states))
    )
    return ReleasesInUse(
        "eye",
        bundled=SingleModel(BUNDLED),
        read_releases=lambda: releases,
        open_release=open_release,
    ).release_ids()


@pytest.mark.parametrize(
    ("pointers", "registered", "used"),
    [
        (ReleasePointers(), (), ("bundled",)),
        (ReleasePointers("a"), (), ("a",)),
        (ReleasePointers("a", "b", "c"), ("d",), ("a", "b", "c")),
        (ReleasePointers("a"), ("d", "e"), ("a", "d")),
        (ReleasePointers("a", "b", "a"), (), ("a", "b")),
    ],
)
def test_the_active_or_bundled_release_is_first_then_the_candidate_or_next_and_the_previous(
    pointers: ReleasePointers, registered: tuple[str, ...], used: tuple[str, ...]
):
    assert in_use(pointers, *registered) == used


@pytest.mark.parametrize(
    ("active", "fetched", "answers", "serving"),
    [
        (None, None, BUNDLED, []),
        ("bundled", ACTIVE, BUNDLED, [BUNDLED]),
        ("a", ACTIVE, ACTIVE, []),
        ("a", None, BUNDLED, []),
    ],
)
def test_the_active_release_answers_and_the_bundled_one_until_it_is_fetched(
    active: str | None, fetched: FakeModel | None, answers: FakeModel, serving: list[FakeModel]
):
    marked: list[FakeModel] = []
    cache: Any = SimpleNamespace(
        get_or_previous=lambda *_: fetched, mark_serving=lambda _, release: marked.append(release)
    )

    router = RolloutRouter(lambda _: ReleasePointers(active), cache, SingleModel(BUNDLED))

    assert router.get("eye") is answers
    assert marked == serving
