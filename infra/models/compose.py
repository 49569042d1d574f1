"""A composite model with one part replaced becomes a release of its own, with every file that it needs."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from infra.models.failure import BuildFailure
from infra.models.places import RELEASES
from models.training import toml
from vigil.faces.calibration import Calibration
from vigil.predict.release import CARD, open_release, parts_of
from vigil.predict.table import Table

AT_FMR = {"same_as": 0.001, "enrol_alike": 0.01}
"""False match rates at which two sightings, and two enrolment photos, are taken for one person's."""

SEED = 7
FREE_PX = 128
"""Height and width of the golden input where the graph takes any."""


def composed(model: str, part: Path, bundled: Path = RELEASES) -> dict[str, bytes]:
    """The release's files by name. Raises BuildFailure where the folder is no part of the model."""
    whole, new = open_release(bundled, model), open_release(part.parent, part.name)
    names = [name for _, name in parts_of(whole.card)]
    replaced = new.card.text("model.name")
    if replaced not in names:
        raise BuildFailure(f"{replaced} is no part of {model}; its parts: {', '.join(names) or 'none'}")
    files: dict[str, bytes] = {}
    licences: set[str] = set()
    golden = "# What these very graphs answer, measured when they were put together.\n"
    for name in names:
        release = new if name == replaced else open_release(bundled, name)
        graph, card = f"{name}.onnx", release.read(CARD).decode()
        files[graph] = release.read(release.card.text("network.file"))
        licences.add(release.card.text("licence.spdx"))
        files[f"{name}.toml"] = re.sub(r'(?m)^file = ".*"$', f'file = "{graph}"', card, count=1).encode()
        golden += _golden(name, files[graph])
    told: dict[str, Any] = {"licence": {"spdx": " AND ".join(sorted(licences))}, **whole.card.values}
    if ("embed", replaced) in parts_of(whole.card):
        told |= _calibrated(whole.card, new.card)
    return files | {CARD: toml.written(told).encode(), "golden.toml": golden.encode()}


def _calibrated(whole: Table, embedding: Table) -> dict[str, Any]:
    """What is known of an embedding's scores goes with it; those of the one before say nothing of it."""
    if "calibration.fmr" not in embedding or "calibration.cosine" not in embedding:
        raise BuildFailure(f"{embedding.file} has no [calibration]: no threshold can be told from its scores")
    measured = {name: list(embedding.numbers(f"calibration.{name}")) for name in ("fmr", "cosine")}
    calibration = {**whole.values["calibration"], **measured}
    known = Calibration.read(Table(embedding.file, {"calibration": calibration}))
    cosines = {name: round(known.threshold(1, fmr).cosine, 4) for name, fmr in AT_FMR.items()}
    return {"calibration": calibration, "matching": {**whole.values["matching"], **cosines}}


def _golden(name: str, graph: bytes) -> str:
    """Seeded noise, and the beginning and mean of what the part makes of it."""
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    shown, output = session.get_inputs()[0], session.get_outputs()[0].name
    shape = [1, *(size if isinstance(size, int) else FREE_PX for size in shown.shape[1:])]
    noise = np.random.default_rng(SEED).uniform(-1, 1, shape).astype(np.float32)
    said = session.run([output], {shown.name: noise})[0].ravel()
    slack = 0.02 * max(1.0, float(np.abs(said).max()))
    return (
        f'\n[[noise]]\npart = "{name}"\nseed = {SEED}\nshape = {shape}\noutput = "{output}"\n'
        f"first = {[round(float(one), 5) for one in said[:6]]}\nmean = {float(said.mean()):.6f}\n"
        f"tolerance = {slack:.5f}\n"
    )
