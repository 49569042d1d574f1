"""Packaging is reproducible and incremental, and refuses what Lambda would refuse."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
from botocore import xform_name

from infra.package import PackagingError, package
from infra.package.artifacts import build_if_changed, extend_zip, fingerprint, zip_folder
from infra.package.dependencies import (
    ANSWERED_SERVICE_MODEL,
    OPERATIONS,
)
from infra.package.targets import find_target
from infra.package.template import (
    LAMBDA_LIMIT_BYTES,
    FunctionSize,
    check_sizes,
    measure_sizes,
    patch_template,
)
from tests.infra.conftest import Template

MB = 1_048_576


@pytest.fixture
def copied_checkout(packaged: Path, tmp_path: Path) -> Path:
    """A copy of the sources in another folder, with only the third-party parts built."""
    root, copy = packaged.parents[2], tmp_path / "elsewhere"
    for name in ("functions", "layers", "infra", "build/models"):
        shutil.copytree(root / name, copy / name)
    for name in ("chalice.json", "requirements.lock"):
        shutil.copy(root / name, copy)
    shutil.copytree(packaged, copy / "build" / "package" / "local", copy_function=os.link)
    for name in ("deployment.zip", "sam.json"):
        (copy / "build" / "package" / "local" / name).unlink()
    return copy


def test_the_functions_stay_far_below_lambdas_limit(packaged: Path, template: Template):
    weights = measure_sizes(template, packaged)

    assert max(weight.total_bytes for weight in weights) < 0.8 * LAMBDA_LIMIT_BYTES


def test_a_function_without_inference_carries_no_layer(packaged: Path, template: Template):
    weights = {weight.function: weight for weight in measure_sizes(template, packaged)}

    assert set(weights["Live"].layers) == {"RuntimeLayer", "ModelsLayer"}
    assert weights["Publish"].layers == {}
    assert weights["Publish"].total_bytes < 20 * MB


def test_a_function_that_is_too_large_is_refused_with_its_biggest_parts_first():
    live = FunctionSize("Live", 20 * MB, {"ModelsLayer": 80 * MB, "RuntimeLayer": 190 * MB})
    weights = (FunctionSize("Small", 1 * MB, {}), live)

    with pytest.raises(PackagingError) as refusal:
        check_sizes(weights)

    assert str(refusal.value) == (
        "Live unzips to 290.0 MB, above Lambda's 250 MB:"
        " RuntimeLayer 190.0 MB, ModelsLayer 80.0 MB, its own code 20.0 MB."
    )


def test_a_second_run_builds_nothing(copied_checkout: Path):
    package("local", root=copied_checkout)
    messages: list[str] = []

    package("local", root=copied_checkout, on_progress=messages.append)

    assert messages == []


def test_the_same_sources_give_the_same_bytes_in_another_folder(copied_checkout: Path, tmp_path: Path):
    further = shutil.copytree(copied_checkout, tmp_path / "further" / "away", copy_function=os.link)

    here, there = package("local", root=copied_checkout), package("local", root=further)

    for name in ("deployment.zip", "sam.json"):
        assert (here / name).read_bytes() == (there / name).read_bytes()


def test_zips_depend_on_contents_alone(tmp_path: Path):
    for name, order in (("a", "xyz"), ("b", "zyx")):
        for letter in order:
            (tmp_path / name / letter).mkdir(parents=True)
            (tmp_path / name / letter / "file.py").write_text(letter)
        zip_folder(tmp_path / name, tmp_path / f"{name}.zip")

    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_a_zip_is_extended_without_losing_its_members(tmp_path: Path):
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.py").write_text(name)
    zip_folder(tmp_path / "old", tmp_path / "old.zip")

    extend_zip(tmp_path / "old.zip", tmp_path / "both.zip", tmp_path / "new")

    with ZipFile(tmp_path / "both.zip") as both:
        assert {name: both.read(name) for name in both.namelist()} == {"old.py": b"old", "new.py": b"new"}


def test_the_function_zip_holds_no_tests_and_nothing_twice(packaged: Path):
    with ZipFile(packaged / "deployment.zip") as archive:
        names = archive.namelist()

    assert len(names) == len(set(names))
    assert [name for name in names if "/tests/" in name] == []
    assert [name for name in names if name.startswith(("tests", "infra", "vendor"))] == []
    assert {"app.py", "chalice/app.py", "functions/app.py", "vigil/errors.py"} <= set(names)


def test_clients_of_what_ships_can_call_every_service(task: Path):
    program = """if True:
        import sys
        from botocore.config import Config
        from botocore.exceptions import EndpointConnectionError
        from botocore.session import Session

        config = Config(retries={"total_max_attempts": 1})
        nowhere = "http://127.0.0.1:9"
        keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "eu-west-1"}
        queue = {"QueueUrl": nowhere + "/q"}
        mac = {"Message": b"", "KeyId": "k", "MacAlgorithm": "HMAC_SHA_256"}
        calls = {
            "s3": ("get_object", {"Bucket": "b", "Key": "k"}),
            "sqs": ("receive_message", queue),
            "sns": ("publish", {"TopicArn": "t", "Message": "m"}),
            "dynamodb": ("get_item", {"TableName": "t", "Key": {"pk": {"S": "k"}}}),
            "lambda": ("invoke", {"FunctionName": "f"}),
            "kms": ("generate_mac", mac),
            "cloudwatch": ("describe_alarms", {}),
            "sagemaker": ("describe_training_job", {"TrainingJobName": "j"}),
        }
        for service, (call, words) in calls.items():
            client = Session().create_client(service, endpoint_url=nowhere, config=config, **keys)
            try:
                getattr(client, call)(**words)
            except EndpointConnectionError:
                print(service)
    """
    completed = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(task)},
    )

    assert len(completed.stdout.split()) == len(OPERATIONS)


def test_exactly_the_services_and_operations_ship_that_the_adapters_call(packaged: Path):
    """Botocore itself calls the others, and Powertools' idempotency the four of DynamoDB."""
    called = {
        xform_name(name)
        for path in (packaged.parents[2] / "layers" / "cloud").rglob("*.py")
        for name in re.findall(r"(?:_client|client|_s3|_dynamodb)\.([a-z_0-9]+)\b", path.read_text())
    }
    names = {xform_name(one) for operations in OPERATIONS.values() for one in operations}
    known = called | {"create_bucket", "create_session", "describe_endpoints", "head_bucket"}

    assert called - names <= {"exceptions", "generate_presigned_post", "generate_presigned_url", "meta"}
    assert names - known <= {"put_item", "get_item", "update_item", "delete_item"}
    with ZipFile(packaged / "deployment.zip") as archive:
        shipped = [one for one in archive.namelist() if one.endswith("/service-2.json")]
    assert {one.split("/")[2] for one in shipped} == {*OPERATIONS, ANSWERED_SERVICE_MODEL.split("/")[0]}
    assert len(shipped) == len(OPERATIONS) + 1


def test_a_failed_build_keeps_the_previous_artifact(tmp_path: Path):
    target_file = tmp_path / "made"
    target_file.write_text("good")

    with pytest.raises(PackagingError):
        build_if_changed(target_file, "new", _failing_build)

    assert target_file.read_text() == "good"
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def test_a_fingerprint_follows_names_and_bytes_but_not_bytecode(tmp_path: Path):
    folder = tmp_path / "room"
    (folder / "__pycache__").mkdir(parents=True)
    (folder / "a.py").write_text("1")
    before = fingerprint(folder)

    (folder / "__pycache__" / "a.pyc").write_text("x")
    same = fingerprint(folder)
    (folder / "a.py").rename(folder / "b.py")

    assert same == before
    assert fingerprint(folder) != before


def test_a_target_that_does_not_exist_is_refused():
    with pytest.raises(PackagingError, match="local or aws"):
        package("moon")


def test_packaging_without_models_names_the_command_that_fetches_them(copied_checkout: Path):
    shutil.rmtree(copied_checkout / "build" / "models")

    with pytest.raises(PackagingError, match="make models"):
        package("local", root=copied_checkout)


def test_the_runtime_is_that_of_the_target(template: Template):
    on_aws = patch_template(template, find_target("aws"))["Resources"]

    assert on_aws["Live"]["Properties"]["Runtime"] == "python3.13"
    assert on_aws["RuntimeLayer"]["Properties"]["CompatibleRuntimes"] == ["python3.13"]


def test_merging_leaves_one_reference_to_a_queue():
    both = {"Queue": {"Fn::Sub": "arn:aws:sqs:::live", "Fn::GetAtt": ["LiveQueue", "Arn"]}}
    merged = {"Resources": {"Live": {"Type": "AWS::Serverless::Function", "Properties": {"Events": both}}}}

    (events,) = [
        r["Properties"]["Events"] for r in patch_template(merged, find_target("local"))["Resources"].values()
    ]

    assert events == {"Queue": {"Fn::GetAtt": ["LiveQueue", "Arn"]}}


def test_the_template_refers_to_the_built_artefacts(packaged: Path):
    text = json.loads((packaged / "sam.json").read_text())["Resources"]
    pointers = {r["Properties"].get("CodeUri") or r["Properties"].get("ContentUri") for r in text.values()}

    assert all((packaged / pointer).exists() for pointer in pointers if pointer)


def _failing_build(draft: Path) -> None:
    draft.write_text("half")
    raise PackagingError("no network")
