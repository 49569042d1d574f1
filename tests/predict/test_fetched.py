"""A fetched release serves only when it is whole and answers rightly; until then the one before does."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.onnx_classifier import write_release
from vigil.errors import Transient
from vigil.predict.classifier import open_classifier
from vigil.predict.fetched import Fetched, Workshop
from vigil.predict.release import open_release
from vigil.predict.shelf import Shelf

NAME = "tiny-colours"


@dataclass
class Store:
    """Releases by id; what is to be done aside waits for `work`."""

    root: Path
    releases: dict[str, dict[str, bytes]] = field(default_factory=dict)
    away: bool = False
    missed: list[str] = field(default_factory=list)
    tasks: list[Callable[[], None]] = field(default_factory=list)

    def add(self, threshold: float) -> str:
        place = self.root / f"made-{threshold}"
        files = write_release(place, threshold=threshold)
        ident = open_release(place, NAME).id
        self.releases[ident] = files
        return ident

    def fetch(self, model: str, release: str, folder: Path) -> None:
        if self.away:
            raise Transient("S3 is away")
        for name, data in self.releases[release].items():
            (folder / name).write_bytes(data)

    def work(self) -> None:
        while self.tasks:
            self.tasks.pop()()

    def fetched(self) -> Fetched:
        shelf = Shelf(self.root, {"classifier": open_classifier})
        return Fetched(
            Workshop(
                folder=self.root / "tmp",
                fetch=self.fetch,
                pipelines=shelf.pipelines,
                aside=self.tasks.append,
                missed=lambda *told: self.missed.append(told[2]),
            )
        )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_a_starting_container_waits_for_the_release_that_it_is_to_serve(store: Store):
    release = store.add(0.6)

    served = store.fetched().now_or_soon(NAME, release)

    assert served is not None
    assert served.release == release


def test_the_one_before_serves_until_the_next_is_ready(store: Store):
    first, second, fetched = store.add(0.6), store.add(0.7), store.fetched()
    fetched.now_or_soon(NAME, first)

    served = []
    for _ in range(2):
        one = fetched.now_or_soon(NAME, second)
        served.append(one.release if one else None)
        store.work()
    last = fetched.now_or_soon(NAME, second)

    assert served[0] == first
    assert last is not None
    assert last.release == second


def test_nobody_fails_while_s3_is_away(store: Store):
    release = store.add(0.6)
    store.away = True

    assert store.fetched().now_or_soon(NAME, release) is None
    assert store.missed == ["S3 is away"]


@pytest.mark.parametrize(
    ("file", "change", "why"),
    [
        (
            "golden.toml",
            lambda data: data.replace(b"mean = ", b"mean = 9 # "),
            "answers its golden input wrongly",
        ),
        ("model.onnx", lambda data: data[:40], "is no network"),
        ("card.toml", lambda data: data.replace(b"classifier", b"magic"), "pipeline.kind"),
    ],
)
def test_a_release_that_does_not_prove_itself_never_serves(
    store: Store, file: str, change: Callable[[bytes], bytes], why: str
):
    place = store.root / "spoilt"
    files = write_release(place)
    (place / NAME / file).write_bytes(change(files[file]))
    release = open_release(place, NAME).id
    store.releases[release] = {path.name: path.read_bytes() for path in (place / NAME).iterdir()}

    assert store.fetched().now_or_soon(NAME, release) is None
    assert why in store.missed[0]


def test_files_of_another_release_are_not_taken_for_it(store: Store):
    release = store.add(0.6)
    store.releases["f" * 16] = store.releases[release]

    assert store.fetched().now_or_soon(NAME, "f" * 16) is None
