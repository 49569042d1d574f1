"""The task "classifier": trains, calibrates, exports and measures a picture classifier."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from models.evaluation.metrics import best_threshold, classification_metrics, evaluate_classifier
from models.training.augmentation import augment
from models.training.data import Samples, read_channel
from models.training.errors import InvalidRecipe
from models.training.export import classifier_quality, write_release
from models.training.export_check import check_export, run_onnx
from models.training.job import JobConfig
from models.training.network_spec import build_network
from models.training.onnx_module import OnnxModule
from models.training.quantise import quantise_model
from models.training.recipe import Augmentation, ClassifierRecipe, OutputHead
from models.training.trainer import ProgressLog, StopSignal, Trainer, TrainingGroup
from vigil.inference.evaluation import ScoredDataset, accuracy
from vigil.training.examples import IMAGE_LIMITS

SCORING_BATCH_SIZE = 32
"""Pictures per batch when scoring."""


@dataclass(frozen=True, slots=True, eq=False)
class Normalisation:
    """(pixel - mean) / scale for each channel, as in the card."""

    mean: tuple[float, ...]
    scale: tuple[float, ...]

    @classmethod
    def from_images(cls, images: NDArray[np.uint8]) -> "Normalisation":
        """Computed from (N, C, H, W) uint8 pictures."""
        counts = np.zeros((images.shape[1], 256), np.int64)
        for picture in images:
            counts += _channel_histograms(picture)
        share, level = counts / counts.sum(axis=1, keepdims=True), np.arange(256)
        mean = share @ level
        scale = np.sqrt(np.maximum(share @ level**2 - mean**2, 1))
        return cls(tuple(mean.round(2).tolist()), tuple(scale.round(2).tolist()))

    def apply(self, images: Tensor) -> Tensor:
        shape = (1, len(self.mean), 1, 1)
        mean = torch.tensor(self.mean, device=images.device).view(shape)
        scale = torch.tensor(self.scale, device=images.device).view(shape)
        return (images - mean) * (1 / scale)


def _channel_histograms(image: NDArray[np.uint8]) -> NDArray[np.int64]:
    """(C, 256) int64: the count of each level, which avoids a float copy of the pictures."""
    return np.stack([np.bincount(plane.ravel(), minlength=256) for plane in image])


class ClassifierLoss(nn.Module):
    """Cross-entropy of a network's logits, weighted by class."""

    def __init__(self, network: OnnxModule, head: OutputHead, weights: NDArray[np.float32]) -> None:
        super().__init__()
        self.network = network
        self._head = head
        self.register_buffer("_weights", torch.from_numpy(weights), persistent=False)

    def forward(self, images: Tensor, truth: Tensor) -> Tensor:
        return self.from_logits(self.network(images).float(), truth)

    def from_logits(self, logits: Tensor, truth: Tensor) -> Tensor:
        if self._head == "softmax":
            return functional.cross_entropy(logits, truth, weight=self._weights)
        target = truth.to(logits.dtype).unsqueeze(1)
        item_weights = self._weights[truth].unsqueeze(1)
        return functional.binary_cross_entropy_with_logits(logits, target, weight=item_weights)


class ClassifierLearner:
    """Port Learner."""

    def __init__(
        self,
        module: ClassifierLoss,
        *,
        train: Samples,
        validation: Samples,
        labels: tuple[str, ...],
        device: torch.device,
    ) -> None:
        self.module = module.to(device)
        self.labels, self._device = labels, device
        self._train, self._validation = train, validation
        self._images = torch.from_numpy(train.values)
        self._class_indices = torch.from_numpy(train.class_indices(labels))
        self.normalisation = Normalisation.from_images(train.values)
        self.augmentation, self.metric = Augmentation(), "accuracy"

    def __len__(self) -> int:
        return len(self._train)

    def parameter_groups(self) -> list[tuple[list[nn.Parameter], float]]:
        return [(list(self.module.parameters()), 1.0)]

    def batch(self, items: Tensor) -> tuple[Tensor, Tensor]:
        images = self._images[items].to(self._device).float()
        return self.normalisation.apply(augment(images, self.augmentation)), self._class_indices[items].to(
            self._device
        )

    def validate(self) -> tuple[float, float]:
        logits = self.logits(self._validation)
        truth = torch.from_numpy(self._validation.class_indices(self.labels))
        loss = self.module.from_logits(logits.to(self._device), truth.to(self._device))
        scored = score_split(logits.numpy(), self._validation, self.labels)
        return float(loss), classification_metrics(scored)[self.metric]

    def inputs(self, samples: Samples) -> Tensor:
        """(N, C, H, W) float32: the network's inputs without augmentation."""
        return self.normalisation.apply(torch.from_numpy(samples.values).float())

    def logits(self, samples: Samples) -> Tensor:
        """(N, L) float32, on the CPU."""
        self.module.eval()
        with torch.no_grad():
            parts = [
                self.module.network(self.normalisation.apply(part.to(self._device).float()))
                for part in torch.from_numpy(samples.values).split(SCORING_BATCH_SIZE)
            ]
        return torch.cat(parts).float().cpu()


def class_weights(truth: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
    """The inverse of each class's share; 1 on average over items."""
    counts = np.bincount(truth, minlength=classes)
    return (len(truth) / (classes * np.maximum(counts, 1))).astype(np.float32)


def probabilities(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Sigmoid of one column of logits, softmax of several."""
    exact = logits.astype(np.float64)
    if exact.shape[1] == 1:
        return np.asarray(1 / (1 + np.exp(-np.clip(exact, -80, 80))))
    powers = np.exp(exact - exact.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def score_split(
    logits: NDArray[np.float32], samples: Samples, labels: tuple[str, ...], threshold: float | None = None
) -> ScoredDataset:
    return ScoredDataset(
        labels,
        samples.class_indices(labels),
        probabilities(logits),
        threshold,
        samples.groups,
        samples.slices,
    )


TEMPERATURES = np.geomspace(0.25, 8, 101)


def fit_temperature(logits: NDArray[np.float32], truth: NDArray[np.int64]) -> float:
    """The divisor of (N, L) logits with the highest likelihood (Guo et al. 2017)."""
    losses = [
        _negative_log_likelihood(probabilities((logits / t).astype(np.float32)), truth) for t in TEMPERATURES
    ]
    return float(TEMPERATURES[int(np.argmin(losses))])


def choose_threshold(scored: ScoredDataset, min_precision: float) -> float:
    """The lowest probability at which a label is predicted.

    For one label, the threshold with the best F1. For several, the lowest one whose predictions reach the
    precision; if none does, the highest confidence.
    """
    if scored.scores.shape[1] == 1:
        return best_threshold(scored.truth == 1, scored.scores[:, 0])
    confidence = scored.scores.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    precision_by_rank = np.cumsum((np.argmax(scored.scores, axis=1) == scored.truth)[order]) / np.arange(
        1, len(order) + 1
    )
    acceptable_ranks = np.flatnonzero(precision_by_rank >= min_precision)
    if len(acceptable_ranks) == len(order) or (
        len(acceptable_ranks) and acceptable_ranks[-1] == len(order) - 1
    ):
        return 0.0
    return float(confidence[order[acceptable_ranks[-1] if len(acceptable_ranks) else 0]])


def _negative_log_likelihood(probability: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
    class_probabilities = (
        np.hstack([1 - probability, probability]) if probability.shape[1] == 1 else probability
    )
    return float(-np.log(np.maximum(class_probabilities[np.arange(len(truth)), truth], 1e-12)).mean())


EXAMPLE_COUNT = 64
"""Pictures that check the export and give the ranges of 8-bit activations."""


def train_classifier(
    job: JobConfig, *, group: TrainingGroup, stop_signal: StopSignal, progress: ProgressLog
) -> None:
    """Fit, calibrate, export, check, quantise if allowed, measure, and write the release."""
    recipe = job.recipe.convert(ClassifierRecipe)
    train, validation = (_read_split(job, name, recipe) for name in ("train", "validation"))
    learner = _build_learner(recipe, train, validation, group)
    trainer = Trainer(
        learner, recipe.fit, key=job.checkpoint_key, group=group, checkpoint_dir=job.paths.checkpoint_dir
    )
    trainer.run(stop_signal, progress)
    if not group.is_leader:
        return
    _apply_temperature(learner, validation)
    trained = learner.module.network.to_onnx()
    examples = _first_samples(train, EXAMPLE_COUNT)
    inputs = learner.inputs(examples).numpy()
    difference = check_export(trained, inputs, learner.logits(examples).numpy())
    model, loss = _quantise_if_allowed(trained, inputs, learner, validation, recipe)
    outputs = run_onnx(model, learner.inputs(validation).numpy())
    label_threshold = choose_threshold(
        score_split(outputs, validation, learner.labels), recipe.release.min_precision
    )
    card = _build_card(job, recipe, learner, label_threshold)
    card["training"] |= {
        "export_difference": difference,
        "int8": model is not trained,
        "int8_loss": round(loss, 4),
    }
    card["quality"] = _measure_quality(job, recipe, learner, model, label_threshold)
    write_release(job.paths.model_dir / job.model, model, card)
    quality_figures = {name: value for name, value in card["quality"].items() if isinstance(value, float)}
    progress.log("finished", **quality_figures)


def _read_split(job: JobConfig, name: str, recipe: ClassifierRecipe) -> Samples:
    return read_channel(job.paths.channel(name), recipe.input.preprocessing)


def _build_learner(
    recipe: ClassifierRecipe, train: Samples, validation: Samples, group: TrainingGroup
) -> ClassifierLearner:
    labels = tuple(sorted(set(train.labels)))
    sigmoid = recipe.network.head == "sigmoid"
    if len(labels) < 2 or (sigmoid and len(labels) != 2):
        raise InvalidRecipe(
            f"{recipe.network.head} cannot answer with {len(labels)} labels: {', '.join(labels)}"
        )
    _, depth, height, width = train.values.shape
    network = build_network(
        recipe.network,
        shape=(depth, height, width),
        outputs=1 if sigmoid else len(labels),
        seed=recipe.fit.seed,
    )
    weights = class_weights(train.class_indices(labels), len(labels))
    weights = weights if recipe.fit.class_weights else np.ones_like(weights)
    loss = ClassifierLoss(OnnxModule(network), recipe.network.head, weights)
    learner = ClassifierLearner(loss, train=train, validation=validation, labels=labels, device=group.device)
    learner.augmentation, learner.metric = recipe.augmentation, recipe.fit.metric
    return learner


def _apply_temperature(learner: ClassifierLearner, validation: Samples) -> None:
    """Divide the last layer's weights by the temperature."""
    divisor = fit_temperature(learner.logits(validation).numpy(), validation.class_indices(learner.labels))
    for name in ("head.weight", "head.bias"):
        weight = learner.module.network.weight(name)
        weight.data /= divisor


def _quantise_if_allowed(
    model: onnx.ModelProto,
    inputs: NDArray[np.float32],
    learner: ClassifierLearner,
    validation: Samples,
    recipe: ClassifierRecipe,
) -> tuple[onnx.ModelProto, float]:
    """The 8-bit network if its loss of accuracy is allowed, else the given one; and that loss."""
    quantised = quantise_model(model, inputs)
    validation_inputs = learner.inputs(validation).numpy()
    before, after = (
        accuracy(score_split(run_onnx(one, validation_inputs), validation, learner.labels))
        for one in (model, quantised)
    )
    loss = before - after
    is_smaller = quantised.ByteSize() < model.ByteSize()
    return (quantised if is_smaller and loss <= recipe.release.max_quality_loss else model), loss


def _measure_quality(
    job: JobConfig,
    recipe: ClassifierRecipe,
    learner: ClassifierLearner,
    model: onnx.ModelProto,
    label_threshold: float,
) -> dict[str, Any]:
    """On the test split, or on validation if there is none; the card names the split."""
    name = "test" if job.paths.channel("test").is_dir() else "validation"
    samples = _read_split(job, name, recipe)
    outputs = run_onnx(model, learner.inputs(samples).numpy())
    evaluation = evaluate_classifier(score_split(outputs, samples, learner.labels, label_threshold))
    return classifier_quality(evaluation, name)


def _build_card(
    job: JobConfig, recipe: ClassifierRecipe, learner: ClassifierLearner, label_threshold: float
) -> dict[str, Any]:
    preprocessing, normalisation = recipe.input.preprocessing, learner.normalisation
    sigmoid = recipe.network.head == "sigmoid"
    return {
        "model": {"name": job.model, "version": job.dataset_id, "summary": recipe.release.summary},
        "pipeline": {"kind": "classifier"},
        "accepts": {
            "suffixes": sorted(IMAGE_LIMITS.suffixes),
            "formats": IMAGE_LIMITS.formats,
            "max_bytes": IMAGE_LIMITS.max_bytes,
            "max_pixels": IMAGE_LIMITS.max_pixels,
            "background_grey": IMAGE_LIMITS.background_grey,
        },
        "network": {"file": "model.onnx", "threads": 1},
        "input": {
            "name": preprocessing.name,
            "layout": preprocessing.layout,
            "size": list(preprocessing.size or ()),
            "channels": preprocessing.channels,
            "mean": normalisation.mean,
            "scale": normalisation.scale,
            "fit": preprocessing.fit,
            "fill": preprocessing.fill,
        },
        "output": {
            "name": "logits",
            "head": recipe.network.head,
            "labels": learner.labels[1:] if sigmoid else learner.labels,
            "threshold": round(label_threshold, 6),
            "max_labels": 1,
        },
        "licence": {"spdx": recipe.release.licence},
        "training": job.card_training_table(seed=recipe.fit.seed, layers=recipe.network.layers),
    }


def _first_samples(samples: Samples, count: int) -> Samples:
    return replace(
        samples, values=samples.values[:count], labels=samples.labels[:count], groups=(), slices={}
    )
