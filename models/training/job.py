"""What one job is asked for, from its hyperparameters and its recipe channel."""

import hashlib
from dataclasses import dataclass

import torch

from models.training.errors import InvalidRecipe
from models.training.sagemaker_paths import SageMakerPaths
from vigil.inference.card import TomlReader, load_toml
from vigil.inference.repository import MODEL_NAME_PATTERN

RECIPE_FILE = "recipe.toml"


@dataclass(frozen=True, slots=True)
class JobConfig:
    """`data` is the data set's id, `parent` the release to be better than ("" for none)."""

    task: str
    model: str
    dataset_id: str
    parent_release: str
    unfreeze: bool
    recipe: TomlReader
    recipe_sha256: str
    paths: SageMakerPaths

    @property
    def checkpoint_key(self) -> str:
        """A checkpoint is of this job only if its key is the same."""
        source = f"{self.dataset_id} {self.parent_release}"
        return f"{self.task} {self.model} {source} {self.unfreeze} {self.recipe_sha256}"

    def card_training_table(self, **more: object) -> dict[str, object]:
        """A card's [training] table."""
        return {
            "task": self.task,
            "data": self.dataset_id,
            "recipe_sha256": self.recipe_sha256,
            "parent": self.parent_release,
            "framework": f"torch {torch.__version__}",
            **more,
        }


def load_job_config(paths: SageMakerPaths) -> JobConfig:
    """Raises BadRecipe, or BadCard where the recipe is no TOML."""
    hyperparameters = paths.hyperparameters()
    model = hyperparameters.get("model", "")
    if not MODEL_NAME_PATTERN.fullmatch(model):
        raise InvalidRecipe(f"hyperparameter model {model!r} is no model's name")
    path = paths.channel("recipe") / RECIPE_FILE
    recipe = load_toml(path)
    return JobConfig(
        task=hyperparameters.get("task", ""),
        model=model,
        dataset_id=hyperparameters.get("data", "unnamed"),
        parent_release=hyperparameters.get("parent", ""),
        unfreeze=hyperparameters.get("unfreeze", "false") == "true",
        recipe=recipe,
        recipe_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        paths=paths,
    )
