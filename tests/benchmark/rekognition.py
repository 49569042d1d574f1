"""Rekognition's API on photographs of people: what is recognised, and how long a call takes beside /v1.

python -m tests.benchmark.rekognition FOLDER [--people 200]

FOLDER/enrolled/<name>/ has two photographs or more of each person: the first is indexed, the second is
searched for. Each photo of FOLDER/strangers is of somebody else.
The calls of both APIs alternate on one local cloud.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from botocore.config import Config

from infra.local.cloud import Cloud
from infra.package import package
from tests.benchmark.ratios import time_ms
from vigil_cli.console import err, print_json
from vigil_cli.paths import PACKAGE
from vigil_client import Vigil, rekognition
from vigil_client.problems import Problem

COLLECTION, GALLERY = "indexed", "enrolled"
PARAMETERS = {"CallsPerMinute": "1000000"}
NO_RETRIES = Config(retries={"total_max_attempts": 1}, read_timeout=60)


def measure_rekognition(folder: Path, people: int, strangers: int) -> dict[str, Any]:
    """Shares of photographs, and medians of times within pairs of calls for one photograph."""
    package("local")
    homes = sorted(one for one in (folder / "enrolled").iterdir() if one.is_dir())[:people]
    unknown = sorted((folder / "strangers").rglob("*.jpg"))[:strangers]
    with (
        tempfile.TemporaryDirectory(prefix="vigil-bench-") as data,
        Cloud(package=PACKAGE, data=Path(data), parameters=PARAMETERS) as cloud,
    ):
        url = str(cloud.outputs["EndpointURL"])
        client = rekognition(url, cloud.issue_token("admin"), config=NO_RETRIES)
        api = Vigil(url, cloud.issue_token("admin"))
        client.create_collection(CollectionId=COLLECTION)
        indexing = [_index(client, api, number, home) for number, home in enumerate(homes)]
        names = {one["id"]: one["name"] for one in api.list_people(gallery=COLLECTION)}
        searches = [
            (home.name, _search(client, api, number, _photos(home)[1], names))
            for number, home in enumerate(homes)
        ]
        others = [_search(client, api, number, photo, names) for number, photo in enumerate(unknown)]
    return {
        "people": len(homes),
        "right": _share(found["matched"] == name for name, found in searches),
        "right_by_predict": _share(found["predicted"] == name for name, found in searches),
        "wrong": _share(found["matched"] not in ("", name) for name, found in searches),
        "strangers": len(others),
        "strangers_named": _share(bool(found["matched"]) for found in others),
        "strangers_named_by_predict": _share(bool(found["predicted"]) for found in others),
        "index_over_enrol": _times(indexing),
        "search_over_predict": _times([one["times_ms"] for _, one in searches]),
    }


def _photos(home: Path) -> Sequence[Path]:
    return sorted(home.glob("*.jpg"))


def _index(client: Any, api: Vigil, number: int, home: Path) -> tuple[float, float]:
    """Milliseconds of IndexFaces, and of creating a person with the same photo."""
    name, photo = home.name, _photos(home)[0]
    data = photo.read_bytes()

    def index() -> None:
        client.index_faces(CollectionId=COLLECTION, Image={"Bytes": data}, ExternalImageId=name, MaxFaces=1)

    def enrol() -> None:
        person = api.create_person(name, gallery=GALLERY)
        try:
            api.enrol_photo(person, photo)
        except Problem as problem:  # such as a second face in the photo, which an enrolment refuses
            err.print(f"{photo.name}: {problem}")

    return _in_turns(number, index, enrol)


def _search(client: Any, api: Vigil, number: int, photo: Path, names: Mapping[str, str]) -> dict[str, Any]:
    """Whom the largest face matches by both APIs, and the milliseconds of both.

    The threshold of SearchFacesByImage is 99: one comparison in 100,000 is a false match.
    """
    data, found = photo.read_bytes(), {"matched": "", "predicted": ""}

    def search() -> None:
        try:
            answer = client.search_faces_by_image(
                CollectionId=COLLECTION, Image={"Bytes": data}, FaceMatchThreshold=99, MaxFaces=1
            )
        except client.exceptions.InvalidParameterException:
            return
        found["matched"] = next(iter(one["Face"]["ExternalImageId"] for one in answer["FaceMatches"]), "")

    def predict() -> None:
        sightings = api.predict(photo, galleries=[COLLECTION])["sightings"]
        faces = ((_area(one["box_px"]), one["label"]) for one in sightings if one["box_px"])
        found["predicted"] = names.get(max(faces, default=(0, ""))[1], "")

    times = _in_turns(number, search, predict)
    return found | {"times_ms": times}


def _area(box: Sequence[float]) -> float:
    left, top, right, bottom = box
    return (right - left) * (bottom - top)


def _in_turns(number: int, ours: Callable[[], None], theirs: Callable[[], None]) -> tuple[float, float]:
    """Milliseconds of both; every other call begins with the second."""
    if number % 2:
        return time_ms(ours), time_ms(theirs)
    second_ms = time_ms(theirs)
    return time_ms(ours), second_ms


def _times(pairs: Sequence[tuple[float, float]]) -> dict[str, float]:
    return {
        "ratio": round(statistics.median(ours / theirs for ours, theirs in pairs), 3),
        "ms": round(statistics.median(ours for ours, _ in pairs), 1),
        "v1_ms": round(statistics.median(theirs for _, theirs in pairs), 1),
    }


def _share(results: Any) -> float:
    values = list(results)
    return round(sum(values) / len(values), 4) if values else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--strangers", type=int, default=100)
    arguments = parser.parse_args()
    started_s = time.monotonic()
    figures = measure_rekognition(arguments.folder, arguments.people, arguments.strangers)
    print_json([figures | {"seconds": round(time.monotonic() - started_s)}])


if __name__ == "__main__":
    main()
