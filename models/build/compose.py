"""A composite model with one part replaced becomes a release of its own, with every file that it needs."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import tomli_w

from models.build.files import BuildFailure
from models.build.files import RELEASES
from vigil.faces.calibration import Calibration
from vigil.inference.release import CARD_FILE, open_release, list_parts
from vigil.inference.card import TomlReader

COSINE_AT_FMR = {"same_as": 0.001, "enrol_alike": 0.01}
"""False match rates at which two sightings, and two enrolment photos, are taken for one person's."""

GOLDEN_SEED = 7
DYNAMIC_AXIS_PX = 128
"""Height and width of the golden input where the graph takes any."""


def compose_release(model: str, part: Path, bundled: Path = RELEASES) -> dict[str, bytes]:
    """The release's files by name. Raises BuildFailure where the folder is no part of the model."""
    composite, replacement = open_release(bundled, model), open_release(part.parent, part.name)
    names = [name for _, name in list_parts(composite.card)]
    replaced = replacement.card.get_str("model.name")
    if replaced not in names:
        raise BuildFailure(f"{replaced} is no part of {model}; its parts: {', '.join(names) or 'none'}")
    files: dict[str, bytes] = {}
    licences: set[str] = set()
    golden = "# What these very graphs answer, measured when they were put together.\n"
    for name in names:
        release = replacement if name == replaced else open_release(bundled, name)
        graph, card = f"{name}.onnx", release.read_file(CARD_FILE).decode()
        files[graph] = release.read_file(release.card.get_str("network.file"))
        licences.add(release.card.get_str("licence.spdx"))
        files[f"{name}.toml"] = re.sub(r'(?m)^file = ".*"$', f'file = "{graph}"', card, count=1).encode()
        golden += _golden_entry(name, files[graph])
    card_values: dict[str, Any] = {"licence": {"spdx": " AND ".join(sorted(licences))}, **composite.card.values}
    if ("embed", replaced) in list_parts(composite.card):
        card_values |= _calibration_values(composite.card, replacement.card)
    return files | {CARD_FILE: tomli_w.dumps(card_values).encode(), "golden.toml": golden.encode()}


def _calibration_values(composite: TomlReader, embedding: TomlReader) -> dict[str, Any]:
    """What is known of an embedding's scores goes with it; those of the one before say nothing of it."""
    if "calibration.fmr" not in embedding or "calibration.cosine" not in embedding:
        raise BuildFailure(f"{embedding.file} has no [calibration]: no threshold can be told from its scores")
    measured = {name: list(embedding.get_floats(f"calibration.{name}")) for name in ("fmr", "cosine")}
    calibration = {**composite.values["calibration"], **measured}
    known = Calibration.from_card(TomlReader(embedding.file, {"calibration": calibration}))
    cosines = {name: round(known.threshold(1, fmr).cosine, 4) for name, fmr in COSINE_AT_FMR.items()}
    return {"calibration": calibration, "matching": {**composite.values["matching"], **cosines}}


def _golden_entry(name: str, graph: bytes) -> str:
    """Seeded noise, and the beginning and mean of what the part makes of it."""
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    graph_input, output = session.get_inputs()[0], session.get_outputs()[0].name
    shape = [1, *(size if isinstance(size, int) else DYNAMIC_AXIS_PX for size in graph_input.shape[1:])]
    noise = np.random.default_rng(GOLDEN_SEED).uniform(-1, 1, shape).astype(np.float32)
    values = session.run([output], {graph_input.name: noise})[0].ravel()
    tolerance = 0.02 * max(1.0, float(np.abs(values).max()))
    return (
        f'\n[[noise]]\npart = "{name}"\nseed = {GOLDEN_SEED}\nshape = {shape}\noutput = "{output}"\n'
        f"first = {[round(float(value), 5) for value in values[:6]]}\nmean = {float(values.mean()):.6f}\n"
        f"tolerance = {tolerance:.5f}\n"
    )
