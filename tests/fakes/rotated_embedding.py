"""The bundled embedding with rotated output: equal accuracy in another embedding space."""

import tomllib
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from tests.fakes.built_models import built_releases

PART = "face-embed"


def write_rotated(folder: Path, seed: int = 1, *, score_shift: float = 0.0) -> Path:
    """A part's folder with card and graph; its card says that impostors score lower by `shift`."""
    home, made = folder / PART, built_releases() / PART
    home.mkdir(parents=True)
    model = onnx.load(str(made / "model.onnx"))
    output_name = model.graph.output[0].name
    for node in model.graph.node:
        node.output[:] = ["straight" if name == output_name else name for name in node.output]
        node.input[:] = ["straight" if name == output_name else name for name in node.input]
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((512, 512)))
    model.graph.initializer.append(numpy_helper.from_array(rotation.astype(np.float32), "turn"))
    model.graph.node.append(helper.make_node("MatMul", ["straight", "turn"], [output_name]))
    onnx.save(model, str(home / "model.onnx"))
    composite = tomllib.loads((built_releases() / "faces" / "card.toml").read_text("utf-8"))
    calibration = composite["matching"]["calibration"]
    cosine = [one - score_shift for one in calibration["cosine"]]
    measured = f"\n[calibration]\nfmr = {calibration['fmr']}\ncosine = {cosine}\n"
    (home / "card.toml").write_text((made / "card.toml").read_text("utf-8") + measured, "utf-8")
    return home
