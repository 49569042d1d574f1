"""`python -m infra.bench.faces`: the faces model against its floor, against numpy and against its peer."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from typing import Any

from infra.bench.floor import photo_over_floor
from infra.bench.search import search_over_numpy
from infra.bench.versus import versus
from infra.cli.recognise import shelf
from vigil.faces.pipeline import FacesModel

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def faces() -> dict[str, Any]:
    """Ratios by their names in build/bench.json, and under `details` what each was made from."""
    models = shelf()
    model = models.get("faces")
    if not isinstance(model, FacesModel):
        raise TypeError("models/faces must be of kind faces")
    floor = photo_over_floor(models)
    search = search_over_numpy()
    peer = versus(model)
    return {
        "photo_over_floor": round(floor.ours_over_theirs, 3),
        "search_over_numpy": {size: round(one.ours_over_theirs, 3) for size, one in search.items()},
        "times_faster_than_face_recognition": round(peer.times_faster, 1),
        "details": {
            "photo_over_floor": asdict(floor),
            "search_over_numpy": {size: asdict(one) for size, one in search.items()},
            "times_faster_than_face_recognition": asdict(peer),
        },
    }


def main() -> int:
    """Measure on one thread: numpy reads its setting once, at import, hence the fresh start."""
    if any(os.environ.get(name) != value for name, value in ONE_THREAD.items()):
        command = [sys.executable, "-m", "infra.bench.faces"]
        return subprocess.run(command, env={**os.environ, **ONE_THREAD}, check=False).returncode
    sys.stdout.write(json.dumps(faces(), indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
