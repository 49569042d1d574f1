"""What one job is asked for, from its hyperparameters and its recipe channel."""

import hashlib
from dataclasses import dataclass

import torch

from models.training.errors import BadRecipe
from models.training.folders import Folders
from vigil.predict.shelf import NAME
from vigil.predict.table import Table, read

RECIPE = "recipe.toml"


@dataclass(frozen=True, slots=True)
class Assignment:
    """`data` is the data set's id, `parent` the release to be better than ("" for none)."""

    task: str
    model: str
    data: str
    parent: str
    unfreeze: bool
    recipe: Table
    recipe_sha256: str
    folders: Folders

    @property
    def key(self) -> str:
        """A checkpoint is of this job only if its key is the same."""
        return f"{self.task} {self.model} {self.data} {self.parent} {self.unfreeze} {self.recipe_sha256}"

    def origin(self, **more: object) -> dict[str, object]:
        """A card's [training] table."""
        return {
            "task": self.task,
            "data": self.data,
            "recipe_sha256": self.recipe_sha256,
            "parent": self.parent,
            "framework": f"torch {torch.__version__}",
            **more,
        }


def assigned(folders: Folders) -> Assignment:
    """Raises BadRecipe, or BadCard where the recipe is no TOML."""
    told = folders.settings()
    model = told.get("model", "")
    if not NAME.fullmatch(model):
        raise BadRecipe(f"hyperparameter model {model!r} is no model's name")
    path = folders.channel("recipe") / RECIPE
    recipe = read(path)
    return Assignment(
        task=told.get("task", ""),
        model=model,
        data=told.get("data", "unnamed"),
        parent=told.get("parent", ""),
        unfreeze=told.get("unfreeze", "false") == "true",
        recipe=recipe,
        recipe_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        folders=folders,
    )
