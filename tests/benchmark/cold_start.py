"""Cold start: the live function's process against a process that only imports numpy and onnxruntime."""

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from functools import partial
from pathlib import Path

from tests.benchmark.ratios import Ratio, measure_ratio
from vigil_cli.paths import PACKAGE

LANE_PROGRAM = """
import os
from functions.runtime.container import container
import functions.live
container().lane_models.get("faces")
os._exit(0)
"""

BARE_PROGRAM = """
import os
import numpy, onnxruntime, pathlib, sys
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
for graph in sorted(pathlib.Path(sys.argv[1]).glob("*/*.onnx")):
    onnxruntime.InferenceSession(str(graph), options)
os._exit(0)
"""
"""Both processes exit without interpreter shutdown, as a Lambda container does."""


def cold_start_over_bare(rounds: int = 15) -> Ratio:
    """Measure spawn to ready for both in turn; only the packaged files are on their import paths."""
    with tempfile.TemporaryDirectory() as folder:
        task = Path(folder)
        with zipfile.ZipFile(PACKAGE / "deployment.zip") as code:
            code.extractall(task)
        models = PACKAGE / "layers" / "models" / "models"
        environment = lambda_environment(task, models)
        ours = partial(_run_program, LANE_PROGRAM, models, environment)
        bare = partial(_run_program, BARE_PROGRAM, models, environment)
        return measure_ratio(ours, bare, rounds=rounds, warm_up=2)


def _run_program(program: str, models: Path, environment: dict[str, str]) -> None:
    subprocess.run([sys.executable, "-S", "-P", "-c", program, str(models)], env=environment, check=True)


def lambda_environment(task: Path, models: Path) -> dict[str, str]:
    """The live function's own, with "1" for all that is only known once it is deployed."""
    template = json.loads((PACKAGE / "sam.json").read_text())
    live = template["Resources"]["Live"]["Properties"]
    variables = live["Environment"]["Variables"]
    memory = template["Parameters"][live["MemorySize"]["Ref"]]["Default"]
    return {
        **{name: value if isinstance(value, str) else "1" for name, value in variables.items()},
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{task}:{PACKAGE / 'layers' / 'runtime' / 'python'}",
        "MODELS_DIR": str(models),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory),
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
    }
