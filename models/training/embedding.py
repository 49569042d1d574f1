"""The task "embedding": trains an embedding that separates people better, and measures it before and after.

A projection is trained on precomputed embeddings; with `unfreeze` the backbone is trained too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from msgspec import structs
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from models.evaluation.identification import (
    evaluate_identification,
    identification_rate,
    impostor_scores,
    probe_indices,
    search_split,
)
from models.training.arcface import ArcFace
from models.training.data import Samples, read_channel
from models.training.errors import InvalidRecipe, InvalidTrainingData
from models.training.export import identification_quality, write_release
from models.training.export_check import check_export, run_onnx
from models.training.job import JobConfig
from models.training.network_spec import IR_VERSION, OPSET
from models.training.onnx_module import OnnxModule
from models.training.quantise import quantise_model
from models.training.recipe import EmbeddingRecipe
from models.training.trainer import ProgressLog, StopSignal, Trainer, TrainingGroup
from vigil.inference.card import NetworkCard, Preprocessing
from vigil.toml_file import TomlFile, load_toml


@dataclass(frozen=True, slots=True, eq=False)
class Backbone:
    """The release in channel backbone: pictures (batch, C, H, W) to vectors (batch, D)."""

    card: TomlFile
    model: onnx.ModelProto
    preprocessing: Preprocessing

    @property
    def embedding_length(self) -> int:
        """D."""
        return int(self.card.values["output"]["length"])

    @property
    def unnormalised_preprocessing(self) -> Preprocessing:
        """Without mean and scale, so that pictures are stored as bytes."""
        preprocessing, depth = self.preprocessing, len(self.preprocessing.mean)
        return structs.replace(preprocessing, mean=(0.0,) * depth, scale=(1.0,) * depth)

    def normalise(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, C, H, W) float32 inputs of the network from unnormalised pictures."""
        mean = np.array(self.preprocessing.mean, np.float32)[:, np.newaxis, np.newaxis]
        scale = np.array(self.preprocessing.scale, np.float32)[:, np.newaxis, np.newaxis]
        inputs: NDArray[np.float32] = (pictures.astype(np.float32) - mean) / scale
        return inputs


def load_backbone(folder: Path) -> Backbone:
    """Raises InvalidToml, or InvalidTrainingData if the graph is missing or not usable."""
    card = load_toml(folder / "card.toml")
    network = card.convert(NetworkCard)
    path = folder / network.network.file
    if not path.is_file():
        raise InvalidTrainingData(f"the backbone's {path.name} is missing")
    preprocessing = network.input
    if preprocessing.layout != "nchw":
        raise InvalidTrainingData("the layout of a backbone must be nchw")
    return Backbone(card, onnx.load(path), preprocessing)


OUTPUT_NAME = "output"


class EmbeddingNetwork(nn.Module):
    """Loss of a batch; the projection starts as the identity and a penalty keeps it near."""

    def __init__(
        self, backbone: OnnxModule | None, projection: OnnxModule, head: ArcFace, identity_penalty: float
    ) -> None:
        super().__init__()
        self.backbone, self.projection, self.head = backbone, projection, head
        self._identity_penalty = identity_penalty
        self.register_buffer("_identity", torch.eye(head.centres.shape[1]), persistent=False)

    def forward(self, values: Tensor, subjects: Tensor) -> Tensor:
        deviation = self.projection.weight("projection.weight") - self._identity
        return self.head(self.embed(values), subjects) + self._identity_penalty * deviation.square().sum()

    def embed(self, values: Tensor) -> Tensor:
        """(N, D) float32, not normalised, of vectors or of the backbone's inputs."""
        return self.projection(values if self.backbone is None else self.backbone(values)).float()


def identity_projection(length: int) -> onnx.ModelProto:
    """An identity graph from "vectors" (batch, D) to "output" (batch, D)."""
    weights = [
        numpy_helper.from_array(np.eye(length, dtype=np.float32), "projection.weight"),
        numpy_helper.from_array(np.zeros(length, np.float32), "projection.bias"),
    ]
    node = helper.make_node(
        "Gemm", ["vectors", "projection.weight", "projection.bias"], [OUTPUT_NAME], transB=1
    )
    shape: list[str | int | None] = ["batch", length]
    vectors = helper.make_tensor_value_info("vectors", TensorProto.FLOAT, shape)
    output = helper.make_tensor_value_info(OUTPUT_NAME, TensorProto.FLOAT, shape)
    graph = helper.make_graph([node], "projection", [vectors], [output], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


def append_projection(backbone: onnx.ModelProto, projection: onnx.ModelProto) -> onnx.ModelProto:
    """One graph of both, with the backbone's input and output names."""
    model = onnx.ModelProto()
    model.CopyFrom(backbone)
    graph, name = model.graph, backbone.graph.output[0].name
    for node in graph.node:
        node.output[:] = [f"{one}.before" if one == name else one for one in node.output]
        node.input[:] = [f"{one}.before" if one == name else one for one in node.input]
    node = helper.make_node("Gemm", [f"{name}.before", *projection.graph.node[0].input[1:]], [name], transB=1)
    graph.node.append(node)
    graph.initializer.extend(projection.graph.initializer)
    onnx.checker.check_model(model)
    return model


class EmbeddingLearner:
    """Port Learner."""

    def __init__(
        self,
        module: EmbeddingNetwork,
        train: Samples,
        validation: Samples,
        *,
        backbone_rate_share: float,
        device: torch.device,
    ) -> None:
        self._backbone_rate_share = backbone_rate_share
        self.module = module.to(device)
        self._device, self._validation = device, validation
        self._values = torch.from_numpy(train.values)
        self._subjects = torch.from_numpy(train.class_indices(tuple(sorted(set(train.labels)))))
        module.head.initialise_centres(
            torch.from_numpy(self.embed(train.values)).to(device), self._subjects.to(device)
        )

    def __len__(self) -> int:
        return len(self._subjects)

    def parameter_groups(self) -> list[tuple[list[nn.Parameter], float]]:
        """The backbone is trained already and gets a lower learning rate."""
        new_parameters = [*self.module.projection.parameters(), *self.module.head.parameters()]
        backbone_parameters = [] if self.module.backbone is None else list(self.module.backbone.parameters())
        return (
            [(new_parameters, 1.0), (backbone_parameters, self._backbone_rate_share)]
            if backbone_parameters
            else [(new_parameters, 1.0)]
        )

    def batch(self, items: Tensor) -> tuple[Tensor, Tensor]:
        return self._values[items].to(self._device), self._subjects[items].to(self._device)

    def validate(self) -> tuple[float, float]:
        """The identification rate, because people of the validation split have no centre."""
        score = identification_rate(
            search_split(self.embed(self._validation.values), self._validation.labels)
        )
        return 1 - score, score

    def embed(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        self.module.eval()
        with torch.no_grad():
            parts = [self.module.embed(part.to(self._device)) for part in torch.from_numpy(values).split(64)]
        embedded: NDArray[np.float32] = torch.cat(parts).cpu().numpy()
        return embedded


EXAMPLE_COUNT = 32
"""Items that check the export and give the ranges of 8-bit activations."""

SamplesBySplit = Mapping[str, Samples]


def train_embedding(
    job: JobConfig, *, group: TrainingGroup, stop_signal: StopSignal, progress: ProgressLog
) -> None:
    """Fit, export, check, quantise if allowed, measure before and after, and write the release."""
    recipe = job.recipe.convert(EmbeddingRecipe)
    backbone_dir = job.paths.channel("backbone")
    backbone = load_backbone(backbone_dir) if backbone_dir.is_dir() else None
    if job.unfreeze and backbone is None:
        raise InvalidRecipe("unfreeze needs a channel named backbone")
    splits = {name: _read_values(job, name, backbone) for name in ("train", "validation", "test")}
    _check_disjoint_subjects(splits)
    learner = _build_learner(job, recipe, backbone, splits, group)
    trainer = Trainer(
        learner, recipe.fit, key=job.checkpoint_key, group=group, checkpoint_dir=job.paths.checkpoint_dir
    )
    trainer.run(stop_signal, progress)
    if not group.is_leader:
        return
    trained, difference = _export_network(learner, backbone, splits["train"])
    inputs_by_split = {
        name: _network_inputs(job, name, samples, backbone) for name, samples in splits.items()
    }
    model, loss = _quantise_if_allowed(
        trained, inputs_by_split, splits["validation"].labels, recipe.release.max_quality_loss
    )
    card = _build_card(job, recipe, backbone, learner)
    card["training"] |= {
        "export_difference": difference,
        "int8": model is not trained,
        "int8_loss": round(loss, 4),
    }
    card |= _measure_quality(
        run_onnx(model, inputs_by_split["test"]), splits["test"], backbone if job.unfreeze else None
    )
    write_release(job.paths.model_dir / job.model, model, card)
    quality_figures = {name: value for name, value in card["quality"].items() if isinstance(value, float)}
    progress.log("finished", **quality_figures)


def _read_values(job: JobConfig, name: str, backbone: Backbone | None) -> Samples:
    """Vectors as given, or the backbone's inputs, or the embeddings of a frozen backbone."""
    folder = job.paths.channel(name)
    if backbone is None:
        return read_channel(folder, None)
    samples = read_channel(folder, backbone.unnormalised_preprocessing)
    inputs = backbone.normalise(samples.values)
    values = inputs if job.unfreeze else run_onnx(backbone.model, inputs)
    return Samples(values, samples.labels, samples.groups, samples.slices)


def _check_disjoint_subjects(splits: SamplesBySplit) -> None:
    """Raises InvalidTrainingData if a person is in two splits."""
    for one, other in combinations(splits, 2):
        shared = sorted(set(splits[one].labels) & set(splits[other].labels))
        if shared:
            raise InvalidTrainingData(
                f"{len(shared)} people are in both {one} and {other}, such as {shared[0]!r}"
            )


def _build_learner(
    job: JobConfig,
    recipe: EmbeddingRecipe,
    backbone: Backbone | None,
    splits: SamplesBySplit,
    group: TrainingGroup,
) -> EmbeddingLearner:
    train = splits["train"]
    trainable_backbone = OnnxModule(backbone.model) if backbone is not None and job.unfreeze else None
    length = train.values.shape[1] if backbone is None else backbone.embedding_length
    settings, subject_count = recipe.arcface, len(set(train.labels))
    head = ArcFace(subject_count, length, margin_rad=settings.margin_rad, scale=settings.scale)
    module = EmbeddingNetwork(
        trainable_backbone, OnnxModule(identity_projection(length)), head, settings.identity_penalty
    )
    return EmbeddingLearner(
        module,
        train,
        splits["validation"],
        backbone_rate_share=settings.backbone_rate_share,
        device=group.device,
    )


def _export_network(
    learner: EmbeddingLearner, backbone: Backbone | None, train: Samples
) -> tuple[onnx.ModelProto, float]:
    """The exported graph, and the difference of its trained part from torch."""
    projection, trainable_backbone = learner.module.projection.to_onnx(), learner.module.backbone
    trained = (
        projection
        if trainable_backbone is None
        else append_projection(trainable_backbone.to_onnx(), projection)
    )
    examples = train.values[:EXAMPLE_COUNT]
    difference = check_export(trained, examples, learner.embed(examples))
    has_frozen_backbone = backbone is not None and trainable_backbone is None
    return (
        append_projection(backbone.model, projection) if has_frozen_backbone and backbone else trained
    ), difference


def _network_inputs(
    job: JobConfig, name: str, samples: Samples, backbone: Backbone | None
) -> NDArray[np.float32]:
    """A split as inputs of the whole graph; pictures of a frozen backbone are read again."""
    if backbone is None or job.unfreeze:
        return np.asarray(samples.values, np.float32)
    return backbone.normalise(
        read_channel(job.paths.channel(name), backbone.unnormalised_preprocessing).values
    )


def _quantise_if_allowed(
    model: onnx.ModelProto,
    inputs_by_split: Mapping[str, NDArray[np.float32]],
    subjects: tuple[str, ...],
    max_quality_loss: float,
) -> tuple[onnx.ModelProto, float]:
    """The 8-bit graph if its loss of identification rate is allowed, else the given one; and that loss."""
    quantised = quantise_model(model, inputs_by_split["train"][:EXAMPLE_COUNT])
    before, after = (
        identification_rate(search_split(run_onnx(one, inputs_by_split["validation"]), subjects))
        for one in (model, quantised)
    )
    is_smaller = quantised.ByteSize() < model.ByteSize()
    return (quantised if is_smaller and before - after <= max_quality_loss else model), before - after


def _measure_quality(
    vectors: NDArray[np.float32], test: Samples, trained_backbone: Backbone | None
) -> dict[str, Any]:
    """Quality on the test split, before and after, and the new calibration.

    vectors           the exported graph's outputs for the test split
    trained_backbone  embeds the test split's pictures as before training; None if it has vectors
    """
    before = test.values if trained_backbone is None else run_onnx(trained_backbone.model, test.values)
    rates, cosines, _ = impostor_scores(vectors, test.labels)
    return {
        "quality": {**_quality_table(vectors, test), "before": _quality_table(before, test)},
        "calibration": {"fmr": rates, "cosine": cosines},
    }


def _quality_table(vectors: NDArray[np.float32], test: Samples) -> dict[str, Any]:
    slices = {
        name: tuple(values[n] for n in probe_indices(test.labels)) for name, values in test.slices.items()
    }
    return identification_quality(evaluate_identification(search_split(vectors, test.labels), slices), "test")


def _build_card(
    job: JobConfig, recipe: EmbeddingRecipe, backbone: Backbone | None, learner: EmbeddingLearner
) -> dict[str, Any]:
    """The backbone's card with the new tables, without its source and quality."""
    length = learner.module.head.centres.shape[1]
    default_tables = {
        "pipeline": {"kind": "part"},
        "input": {"name": "vectors"},
        "output": {"vector": OUTPUT_NAME, "length": length},
        "licence": {"spdx": recipe.release.licence},
    }
    tables = default_tables if backbone is None else dict(backbone.card.values)
    return {
        **{name: table for name, table in tables.items() if name not in ("source", "quality")},
        "model": {
            "name": job.model,
            "version": job.dataset_id,
            "summary": f"a vector of {length} for one face",
        },
        "network": {"file": "model.onnx", "threads": 1},
        "training": job.card_training_table(seed=recipe.fit.seed, unfrozen=job.unfreeze),
    }
