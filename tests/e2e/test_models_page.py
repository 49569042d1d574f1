"""docs/models.md, by hand and once through: each command as it stands there, on the running system."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cloud.jobs import DynamoJobs
from cloud.lives import DynamoLives
from infra.cli.__main__ import app
from infra.cli.desk import api
from tests.e2e.conftest import Site, until
from tests.e2e.test_learning import JOB_S, MODEL, OPEN, labelled, picture, small
from tests.e2e.test_steady import invoked
from tests.onnx_classifier import write_release
from vigil.learn.dispatch import ENDED

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "models.md").read_text()
BLOCK = re.search(r"```bash\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [line.split(" #")[0].strip() for line in BLOCK[1].splitlines()] if BLOCK else []


class Reader:
    """Somebody who follows the page: what stands for each word in capitals, looked up when it is needed."""

    def __init__(self, site: Site, place: Path) -> None:
        self.site, self.place = site, place
        rows, table = site.cloud.client("dynamodb"), site.cloud.outputs["RecordsTable"]
        self.lives, self.jobs = DynamoLives(rows, table), DynamoJobs(rows, table)
        self.said = ""
        self.means: dict[str, Callable[[], str]] = {
            "MODEL": lambda: MODEL,
            "WATCH": lambda: self._file("watch.toml", OPEN.encode()),
            "PICTURE": lambda: self._file("red.png", picture("red", 4711)),
            "DROP": lambda: site.put(picture("red", 4712), name="red.png", model=MODEL, source="studio"),
            "PERSON": lambda: next(api("", site.data, "reviewer").people())["person"],
            "RECIPE": lambda: self._file(
                "recipe.toml", small().replace("epochs = 40", "epochs = 6").encode()
            ),
            "DATASET": lambda: self.jobs.of(MODEL)[0].job.lesson.data,
            "RELEASE": self._learned,
            "FOLDER": self._made_elsewhere,
            "OFFERED": lambda: self.said.split()[1],
        }

    def run(self, command: str) -> None:
        """One command; what it printed is remembered for the next."""
        words = [self.means[word]() if word.isupper() else word for word in shlex.split(command)[1:]]
        self.site.running.quiet(timeout_s=60)
        if words[0] == "promote":
            until(lambda: invoked(self.site, "Releases") and self._is_tried(words[2]))
        answer = CliRunner().invoke(app, [*words, "--data", str(self.site.data)])
        assert answer.exit_code == 0, (command, answer.output)
        self.said = answer.stdout

    def _learned(self) -> str:
        """The release that the last job left, once it is on record."""
        kept = until(self._last, within_s=JOB_S)
        assert kept.release, kept
        return str(kept.release)

    def _last(self) -> object:
        invoked(self.site, "Retrain")
        kept = self.jobs.of(MODEL)[0]
        return kept if kept.job.state in ENDED and not kept.open else None

    def _is_tried(self, release: str) -> bool:
        """Others that wait or are tried go first, were they not turned down."""
        book = self.lives.book(MODEL)
        for one in book.standings:
            if one.life.id != release and one.life.stage in ("registered", "shadow", "canary"):
                api("", self.site.data, "admin").reject(MODEL, one.life.id, why="not this one")
        return book.pointers.candidate == release

    def _made_elsewhere(self) -> str:
        write_release(self.place, name=MODEL, threshold=0.65)
        return str(self.place / MODEL)

    def _file(self, name: str, data: bytes) -> str:
        (self.place / name).write_bytes(data)
        return str(self.place / name)


@pytest.mark.timeout(240)
def test_a_stranger_who_follows_the_page_gets_a_release_promoted_and_back(
    site: Site, trainer: Path, tmp_path: Path
):
    reader = Reader(site, tmp_path)
    labelled(site, 60)
    before = reader.lives.book(MODEL).pointers.active

    for command in COMMANDS:
        reader.run(command)

    book = reader.lives.book(MODEL)
    ends = {one.life.stage for one in book.standings}
    assert len(COMMANDS) == 13
    assert {"rolled-back", "rejected"} <= ends
    assert before in (None, book.pointers.active)
