"""SnapStart by AWS's rules: published versions, which everything that uses the functions refers to."""

import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest

from cloud.lambda_api import function_name
from infra.deploy.snapstart import ALIAS, FUNCTIONS, with_snapstart
from tests.benchmark.cold_start import lambda_environment
from tests.infra.conftest import Template, resources_of_type, translate
from vigil_cli.paths import PACKAGE


@pytest.fixture(scope="module")
def with_aliases(template: Template) -> Template:
    made = with_snapstart(copy.deepcopy(template))
    return translate(json.loads(json.dumps(made).replace('"./', '"s3://artefacts/')))


def alias_of(name: str) -> dict[str, str]:
    return {"Ref": f"{name}Alias{ALIAS}"}


def test_functions_that_load_models_start_from_a_snapshot_if_the_parameter_says_so(translated: Template):
    functions = resources_of_type(translated, "AWS::Lambda::Function")
    chosen = {name: one["SnapStart"] for name, one in functions.items() if "SnapStart" in one}

    setting = {"ApplyOn": {"Fn::If": ["SnapStartEnabled", "PublishedVersions", "None"]}}
    assert chosen == dict.fromkeys(FUNCTIONS, setting)
    assert resources_of_type(translated, "AWS::Lambda::Alias") == {}


def test_snapshots_are_allowed_for_these_functions(translated: Template):
    """https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html#snapstart-runtimes"""
    functions = resources_of_type(translated, "AWS::Lambda::Function")
    for name in FUNCTIONS:
        assert functions[name].get("EphemeralStorage", {"Size": 512})["Size"] <= 512
        assert "FileSystemConfigs" not in functions[name]
        assert functions[name].get("PackageType", "Zip") == "Zip"


def test_snapshots_are_of_published_versions_and_replaced_ones_are_deleted(with_aliases: Template):
    versions = [one for one in with_aliases["Resources"].values() if one["Type"] == "AWS::Lambda::Version"]
    aliases = resources_of_type(with_aliases, "AWS::Lambda::Alias")

    assert {one["DeletionPolicy"] for one in versions} == {"Delete"}
    assert {name: one["FunctionName"] for name, one in aliases.items()} == {
        f"{name}Alias{ALIAS}": {"Ref": name} for name in FUNCTIONS
    }


def test_the_queue_is_read_by_the_published_version(with_aliases: Template):
    mappings = resources_of_type(with_aliases, "AWS::Lambda::EventSourceMapping")
    (live,) = [one for one in mappings.values() if "LiveQueue" in str(one["EventSourceArn"])]
    (bulk,) = [one for one in mappings.values() if "BulkQueue" in str(one["EventSourceArn"])]

    assert live["FunctionName"] == alias_of("Live")
    assert bulk["FunctionName"] == {"Ref": "Bulk"}


def test_others_invoke_and_configure_the_published_version_and_may_do_that(with_aliases: Template):
    functions = resources_of_type(with_aliases, "AWS::Lambda::Function")
    api = functions["APIHandler"]["Environment"]["Variables"]
    roles = resources_of_type(with_aliases, "AWS::IAM::Role")

    assert api["PREDICT_FUNCTION"] == alias_of("Predict")
    assert {
        one["Environment"]["Variables"]["LIVE_FUNCTION"]["Ref"]
        for one in (functions["APIHandler"], functions["Balance"])
    } == {alias_of("Live")["Ref"]}
    for name in FUNCTIONS:
        assert json.dumps({"Fn::GetAtt": [name, "Arn"]}) not in json.dumps(roles)
        assert json.dumps(alias_of(name)) in json.dumps(roles["ApiHandlerRole"])
    assert json.dumps(alias_of("Live")) in json.dumps(roles["BalanceRole"])


@pytest.mark.parametrize(("module", "models"), [("live", "lane_models"), ("predict", "bundled_models")])
def test_a_snapshot_holds_the_opened_models_and_nothing_that_was_read_from_aws(
    task: Path, module: str, models: str
):
    """Every AWS call would fail, as nothing listens."""
    environment = lambda_environment(task, PACKAGE / "layers" / "models" / "models")
    environment |= {"AWS_LAMBDA_FUNCTION_NAME": "vigil-dev", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    environment |= {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}
    program = f"import functions.{module} as module; print(*module.container().{models}._models)"

    answer = subprocess.run(
        [sys.executable, "-S", "-P", "-c", program], env=environment, check=True, stdout=subprocess.PIPE
    )

    assert answer.stdout == b"faces\n"


def test_a_metric_is_of_the_function_and_not_of_its_alias():
    arn = f"arn:aws:lambda:eu-west-1:123456789012:function:vigil-dev-live:{ALIAS}"

    assert function_name(arn) == "vigil-dev-live"
    assert function_name("vigil-dev-live") == "vigil-dev-live"
