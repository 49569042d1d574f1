"""The quality of each bundled model: figures from the released graph, through the path that serves it."""

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from models.build.files import CACHE, ROOT
from models.build.sample_photos import fetch_photos
from models.build.wheels import Wheel, fetch_wheel, read_wheel_member
from models.evaluation.bundled.datasets import sentences, spoken_digits, transactions
from models.evaluation.bundled.file_examples import file_examples
from models.evaluation.bundled.keyword_head import keyword_head
from models.evaluation.bundled.keyword_vectors import open_keyword_vectors
from vigil.inference.network.model import NetworkModel
from vigil.inference.types import Box, Prediction, ignore_stage

Figures = dict[str, float]
Measure = Callable[[NetworkModel, Path], Figures]
"""Takes the model, and the folder with the data."""

PICTURES = Wheel(
    "scikit-image",
    "0.26.0",
    "sha256:74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af",
    "cp311-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64",
)
"""Free pictures of known things; the wheel is only read."""

PEOPLE = (3, 3, 3, 4, 5, 4)
"""People in each group photograph, counted by eye; each has a face that shows."""


def predict(model: NetworkModel, data: bytes) -> Prediction:
    return model.predict(data, {}, ignore_stage)


def measure_file_type(model: NetworkModel, _: Path) -> Figures:
    found = [predict(model, data).sightings[0].label == label for label, data in file_examples()]
    return {"accuracy": share(found), "files": len(found)}


def measure_transactions(model: NetworkModel, folder: Path) -> Figures:
    """On the last quarter of the time."""
    names, split = transactions(folder)
    rows, truth = split.items[split.held_out], split.labels[split.held_out]
    lines = [",".join(names), *(",".join(f"{value:g}" for value in row) for row in rows)]
    found, _ = model.find_all("\n".join(lines).encode())
    scores = np.array([one.score or 0.0 for one in found])
    threshold = found[0].threshold or 0.0
    return {
        "average_precision": float(average_precision_score(truth, scores)),
        "f1": float(f1_score(truth, scores >= threshold)),
        "auc": float(roc_auc_score(truth, scores)),
        "rows": len(truth),
    }


def measure_embedding(model: NetworkModel, folder: Path) -> Figures:
    """Of held-out sentences, the share whose ten nearest of 2,000 others have their label, mostly."""
    split = sentences(folder)
    known = np.flatnonzero(~split.held_out)[:: max(1, int((~split.held_out).sum()) // 2000)]
    probes = np.flatnonzero(split.held_out)[::4]
    vectors = {at: vector_of(model, split.items[at]) for at in (*known, *probes)}
    cosines = np.stack([vectors[at] for at in probes]) @ np.stack([vectors[at] for at in known]).T
    nearest = np.argsort(-cosines, axis=1)[:, :10]
    found = split.labels[known][nearest].mean(axis=1) > 0.5
    meal = [vector_of(model, text) for text in ("A man is eating food.", "A man eats something.")]
    other = vector_of(model, "The stock market fell sharply today.")
    return {
        "neighbour_accuracy": share(found == split.labels[probes]),
        "sentences": len(probes),
        "cosine_of_one_meaning": float(meal[0] @ meal[1]),
        "cosine_of_two_meanings": float(meal[0] @ other),
    }


def vector_of(model: NetworkModel, text: str) -> NDArray[np.float32]:
    vector = predict(model, text.encode()).sightings[0].vector
    assert vector is not None  # noqa: S101 - an embedding has one
    return vector


def measure_keywords(_: NetworkModel, folder: Path) -> Figures:
    """Each speaker with a head of the others; the released head is of all speakers."""
    accuracy = keyword_head(open_keyword_vectors(), folder).accuracy_by_speaker.values()
    return {"accuracy": float(np.mean(list(accuracy))), "speakers": len(accuracy)}


def measure_speech(model: NetworkModel, folder: Path) -> Figures:
    """Of digits in the middle of three seconds of noise, how many are found, and of noise alone."""
    digits = list(spoken_digits(folder))[::20]
    draw = np.random.default_rng(0)
    found, false = [], []
    for one in digits:
        noise = draw.normal(0, 0.003, 24_000)
        voice = read_wave(one.sound)[:16_000]
        with_voice = noise.copy()
        with_voice[8000 : 8000 + len(voice)] += voice
        middle = (8000 + len(voice) / 2) / 8000
        spans = [one.span_s for one in predict(model, as_wave(with_voice, 8000)).sightings if one.span_s]
        found.append(any(start <= middle <= end for start, end in spans))
        false.append(bool(predict(model, as_wave(noise, 8000)).sightings))
    return {"found": share(found), "false_in_noise": share(false), "recordings": len(digits)}


def measure_detection(model: NetworkModel, _: Path) -> Figures:
    """On six group photographs: people in a box of their own, and boxes too many."""
    boxes = [_persons(model, path.read_bytes()) for path in sorted(fetch_photos())]
    found = [min(len(found), people) for found, people in zip(boxes, PEOPLE, strict=True)]
    extra = sum(max(len(found) - people, 0) for found, people in zip(boxes, PEOPLE, strict=True))
    alone = [_persons(model, path.read_bytes()) for path in sorted((ROOT / "tests" / "photos").glob("*.jpg"))]
    label_by_name = {"chelsea.png": "cat", "motorcycle_left.png": "motorcycle", "horse.png": "horse"}
    named = [
        label in {one.label for one in predict(model, data).sightings}
        for label, data in _pictures(label_by_name)
    ]
    return {
        "people_found": sum(found) / sum(PEOPLE),
        "boxes_too_many": extra,
        "portraits_found": share([len(one) > 0 for one in alone]),
        "things_named": share(named),
        "photographs": len(boxes) + len(alone) + len(named),
    }


def _persons(model: NetworkModel, data: bytes) -> list[Box]:
    return [one.box_px for one in predict(model, data).sightings if one.label == "person" and one.box_px]


def measure_classification(model: NetworkModel, _: Path) -> Figures:
    """On free pictures of known things: the share whose class is among the first five."""
    label_by_name = {
        "chelsea.png": "a cat having a striped coat",
        "coffee.png": "espresso",
        "rocket.jpg": "missile",
        "motorcycle_left.png": "moped",
        "camera.png": "tripod",
    }
    found = [
        label in {one.label for one in predict(model, data).sightings}
        for label, data in _pictures(label_by_name)
    ]
    return {"top_five": share(found), "pictures": len(found)}


def _pictures(label_by_name: Mapping[str, str]) -> Iterable[tuple[str, bytes]]:
    path = fetch_wheel(PICTURES, CACHE, lambda _: None)
    for name, label in label_by_name.items():
        yield label, read_wheel_member(path, f"skimage/data/{name}")


def as_wave(samples: NDArray[np.float64], rate: int) -> bytes:
    """A recording in WAV from samples of -1 to 1."""
    import soundfile  # noqa: PLC0415 - only models of sound load it

    out = io.BytesIO()
    soundfile.write(out, samples, rate, format="WAV", subtype="PCM_16")
    return out.getvalue()


def read_wave(data: bytes) -> NDArray[np.float64]:
    import soundfile  # noqa: PLC0415

    samples, _ = soundfile.read(io.BytesIO(data))
    return np.asarray(samples, np.float64)


def share(true: Sequence[bool] | NDArray[np.bool_]) -> float:
    return float(np.mean(true)) if len(true) else 0.0


MEASURES: Mapping[str, Measure] = {
    "audio-keywords": measure_keywords,
    "audio-speech": measure_speech,
    "file-type": measure_file_type,
    "image-classify": measure_classification,
    "image-detect": measure_detection,
    "text-embed": measure_embedding,
    "transaction-fraud": measure_transactions,
}
