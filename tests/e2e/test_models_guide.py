"""docs/models.md, by hand and once through: each command as it stands there, on the running system."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

from click.testing import CliRunner

from cloud.dynamodb.releases import DynamoReleases, DynamoTrainingJobs
from tests.e2e.conftest import RunningSystem, wait_until
from tests.e2e.test_maintenance import invoke_function
from tests.e2e.test_training import (
    JOB_TIMEOUT_S,
    MODEL,
    RULES_WITH_TRAINING,
    drop_labelled_pictures,
    noisy_picture,
    small_recipe,
)
from tests.fakes.onnx_classifier import write_release
from vigil.training.jobs import TERMINAL_STATES
from vigil_cli.__main__ import app
from vigil_cli.session import Session

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "models.md").read_text()
BLOCK = re.search(r"```bash\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [line.split(" #")[0].strip() for line in BLOCK[1].splitlines()] if BLOCK else []


class GuideReader:
    """Somebody who follows the page: what stands for each word in capitals, looked up when it is needed."""

    def __init__(self, site: RunningSystem, folder: Path) -> None:
        self.site, self.folder = site, folder
        rows, table = site.cloud.client("dynamodb"), site.cloud.outputs["RecordsTable"]
        self.releases, self.jobs = DynamoReleases(rows, table), DynamoTrainingJobs(rows, table)
        self.last_output = ""
        self.placeholders: dict[str, Callable[[], str]] = {
            "MODEL": lambda: MODEL,
            "WATCH": lambda: self._file("rules.toml", RULES_WITH_TRAINING.encode()),
            "PICTURE": lambda: self._file("red.png", noisy_picture("red", 4711)),
            "DROP": self._picture,
            "LABELS": lambda: self._file("labels.csv", f"drop,label\n{self._picture()},red\n".encode()),
            "PERSON": self._enrolled_person,
            "RECIPE": lambda: self._file(
                "recipe.toml", small_recipe().replace("epochs = 40", "epochs = 6").encode()
            ),
            "DATASET": lambda: self.jobs.for_model(MODEL)[0].job.spec.dataset_id,
            "RELEASE": self._trained_release,
            "FOLDER": self._external_release_folder,
            "OFFERED": lambda: self.last_output.split()[1],
        }

    def run_command(self, command: str) -> None:
        """One command; what it printed is remembered for the next."""
        words = [self.placeholders[word]() if word.isupper() else word for word in shlex.split(command)[1:]]
        self.site.running.wait_until_idle(timeout_s=240)
        if words[:2] == ["models", "promote"]:
            wait_until(lambda: invoke_function(self.site, "Rollout") and self._is_candidate(words[3]))
        answer = CliRunner().invoke(app, [*words, "--data", str(self.site.data)])
        assert answer.exit_code == 0, (command, answer.output)
        self.last_output = answer.stdout

    def _picture(self) -> str:
        return self.site.drop_bytes(noisy_picture("red", 4712), name="red.png", model=MODEL, source="studio")

    def _enrolled_person(self) -> str:
        with Session("", self.site.data, as_json=False).api("reviewer") as api:
            return next(api.list_people())["id"]

    def _trained_release(self) -> str:
        """The release that the last job left, once it is on record."""
        stored = wait_until(self._last_finished_job, within_s=JOB_TIMEOUT_S)
        assert stored.release, stored
        return str(stored.release)

    def _last_finished_job(self) -> object:
        invoke_function(self.site, "TrainingJobs")
        stored = self.jobs.for_model(MODEL)[0]
        return stored if stored.job.state in TERMINAL_STATES and not stored.is_open else None

    def _is_candidate(self, release: str) -> bool:
        """Others that wait or are tried go first, were they not turned down."""
        model_releases = self.releases.read_releases(MODEL)
        for one in model_releases.records:
            if one.state.release != release and one.state.stage in ("registered", "shadow", "canary"):
                with Session("", self.site.data, as_json=False).api("admin") as api:
                    api.reject_release(MODEL, one.state.release, reason="not this one")
        return model_releases.pointers.candidate == release

    def _external_release_folder(self) -> str:
        write_release(self.folder, name=MODEL, threshold=0.65)
        return str(self.folder / MODEL)

    def _file(self, name: str, data: bytes) -> str:
        (self.folder / name).write_bytes(data)
        return str(self.folder / name)


def test_the_commands_of_the_guide_promote_a_release_and_roll_it_back(
    site: RunningSystem, trainer: Path, tmp_path: Path
):
    reader = GuideReader(site, tmp_path)
    drop_labelled_pictures(site, 60)
    before = reader.releases.read_releases(MODEL).pointers.active

    for command in COMMANDS:
        reader.run_command(command)

    model_releases = reader.releases.read_releases(MODEL)
    ends = {one.state.stage for one in model_releases.records}
    assert len(COMMANDS) == 15
    assert {"rolled-back", "rejected"} <= ends
    assert before in (None, model_releases.pointers.active)
