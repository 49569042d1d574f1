"""A composite model with one part replaced, as the files of a release of its own."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import tomli_w

from models.build.files import RELEASES, BuildFailure
from vigil.faces.embedder import EmbedderCard, embedding_space_id
from vigil.inference.card import NetworkCard
from vigil.inference.release import CARD_FILE, Release, open_release
from vigil.toml_file import TomlFile

GOLDEN_SEED = 7
DYNAMIC_AXIS_PX = 128
"""Height and width of the golden input if the graph takes any."""


def compose_release(model: str, part: Path, bundled: Path = RELEASES) -> dict[str, bytes]:
    """The release's files by name. Raises BuildFailure if the folder holds no part of the model."""
    composite, replacement = open_release(bundled, model), open_release(part.parent, part.name)
    roles = composite.card.pipeline.parts
    replaced = replacement.card.model.name
    if replaced not in roles.values():
        names = ", ".join(roles.values()) or "none"
        raise BuildFailure(f"{replaced} is no part of {model}; its parts: {names}")
    files: dict[str, bytes] = {}
    licences: set[str] = set()
    golden = "# Outputs of these graphs, computed when the release was composed.\n"
    for name in roles.values():
        release = replacement if name == replaced else open_release(bundled, name)
        graph, text = f"{name}.onnx", release.read_file(CARD_FILE).decode()
        files[graph] = release.read_file(release.convert_card(NetworkCard).network.file)
        if release.card.licence is None:
            raise BuildFailure(f"{release.card_file.file} has no [licence].")
        licences.add(release.card.licence.spdx)
        files[f"{name}.toml"] = re.sub(r'(?m)^file = ".*"$', f'file = "{graph}"', text, count=1).encode()
        golden += _golden_entry(name, files[graph])
    card: dict[str, Any] = {"licence": {"spdx": " AND ".join(sorted(licences))}, **composite.card_file.values}
    if roles.get("embedder") == replaced:
        card["matching"] = _matching(composite.card_file, replacement)
    return files | {CARD_FILE: tomli_w.dumps(card).encode(), "golden.toml": golden.encode()}


def _matching(composite: TomlFile, embedder: Release) -> dict[str, Any]:
    """The composite's [matching] with the new embedder's calibration."""
    card = embedder.convert_card(EmbedderCard)
    if not card.calibration:
        raise BuildFailure(
            f"{embedder.card_file.file} has no [calibration], so its scores have no threshold."
        )
    matching = composite.values["matching"]
    calibration = {
        "min_fmr": matching["calibration"]["min_fmr"],
        **card.calibration,
        "embedding_space": embedding_space_id(embedder, card),
    }
    return {**matching, "calibration": calibration}


def _golden_entry(name: str, graph: bytes) -> str:
    """The [[noise]] entry of a part: the first values and the mean of its output for seeded noise."""
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
