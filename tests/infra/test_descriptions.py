"""What is left of botocore's descriptions is what botocore asks for when it makes a call."""

import json
import shutil
from pathlib import Path

import botocore
import pytest
from botocore.loaders import Loader
from botocore.session import Session

from infra.package.descriptions import thin


def test_descriptions_of_services_ship_unpacked_and_without_prose(tmp_path: Path):
    _described(tmp_path, "s3", "sqs")

    thin(tmp_path)

    assert not list(tmp_path.glob("**/*.gz"))
    service = json.loads((tmp_path / "sqs" / "2012-11-05" / "service-2.json").read_text())
    assert service["operations"]["SendMessage"]["documentation"] == ""
    (aws, *_) = json.loads((tmp_path / "endpoints.json").read_text())["partitions"]
    assert aws["services"].keys() == {"s3", "sqs"}


def test_a_client_is_made_from_what_ships_as_from_what_was_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    _described(tmp_path, "s3")
    before = _signed(tmp_path)

    thin(tmp_path)

    assert _signed(tmp_path) == before


def _described(place: Path, *services: str) -> None:
    """botocore's own descriptions of some services, and what goes with all."""
    data = Path(botocore.__file__).parent / "data"
    for service in services:
        shutil.copytree(data / service, place / service)
    for file in data.glob("*.json"):
        shutil.copy(file, place)


def _signed(data: Path) -> list[str]:
    session = Session()
    loader = Loader(extra_search_paths=[str(data)], include_default_search_paths=False)
    session.register_component("data_loader", loader)
    client = session.create_client("s3", region_name="eu-west-1")
    link = client.generate_presigned_url("get_object", Params={"Bucket": "bucket", "Key": "k"})
    return [link.split("?")[0], client.meta.endpoint_url, *dir(client)]
