"""An interpreter that has torch: made once under build/, since the project's own has none."""

from pathlib import Path

import pytest

from models.training.environment import TrainingEnvironmentError, training_python


@pytest.fixture(scope="session")
def trainer() -> Path:
    try:
        return training_python()
    except TrainingEnvironmentError as error:
        pytest.skip(str(error))
