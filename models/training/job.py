"""The configuration of a training job, from its hyperparameters and its recipe channel."""

import hashlib
from dataclasses import dataclass

import torch

from models.training.errors import InvalidRecipe
from models.training.sagemaker_paths import SageMakerPaths
from vigil.inference.repository import MODEL_NAME_PATTERN
from vigil.toml_file import TomlFile, load_toml

RECIPE_FILE = "recipe.toml"


@dataclass(frozen=True, slots=True)
class JobConfig:
    """`parent_release` is the release to improve on; "" if there is none."""

    task: str
    model: str
    dataset_id: str
    parent_release: str
    unfreeze: bool
    recipe: TomlFile
    recipe_sha256: str
    paths: SageMakerPaths

    @property
    def checkpoint_key(self) -> str:
        """A checkpoint is used only by the job with the same key."""
        source = f"{self.dataset_id} {self.parent_release}"
        return f"{self.task} {self.model} {source} {self.unfreeze} {self.recipe_sha256}"

    def card_training_table(self, **more: object) -> dict[str, object]:
        """The card's table [training]."""
        return {
            "task": self.task,
            "data": self.dataset_id,
            "recipe_sha256": self.recipe_sha256,
            "parent": self.parent_release,
            "framework": f"torch {torch.__version__}",
            **more,
        }


def load_job_config(paths: SageMakerPaths) -> JobConfig:
    """Raises InvalidRecipe, or InvalidToml if the recipe is not TOML."""
    hyperparameters = paths.hyperparameters()
    model = hyperparameters.get("model", "")
    if not MODEL_NAME_PATTERN.fullmatch(model):
        raise InvalidRecipe(f"hyperparameter model {model!r} is not a model name")
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
