"""An interpreter that has torch: made once under build/, since the project's own has none."""

from pathlib import Path

import pytest

from infra.trainer.environment import NoTrainer, trainer_python


@pytest.fixture(scope="session")
def trainer() -> Path:
    try:
        return trainer_python()
    except NoTrainer as error:
        pytest.skip(str(error))
