"""What ships where: the third-party packages of the function zip and of the runtime layer, as data."""

import gzip
import json
import re
import shutil
import sys
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from infra.package.artifacts import compile_folder, list_files, run_program
from infra.package.errors import PackagingError
from infra.package.targets import Target

_EXCLUDED_FILES = (
    "__pycache__/*",
    "*/__pycache__/*",
    "*/tests/*",
    "*.pyi",
    "*.pxd",
    "*.pyx",
    "*.h",
    "*.a",
    "bin/*",
    "*.dist-info/INSTALLER",
    "*.dist-info/RECORD",
    "*.dist-info/REQUESTED",
    "*.dist-info/direct_url.json",
)
"""Needed by compilers, type checkers and pip, not by a running function. Licences stay."""

SERVICES = (
    "cloudwatch",
    "dynamodb",
    "dynamodbstreams",
    "events",
    "kms",
    "lambda",
    "logs",
    "s3",
    "s3vectors",
    "sagemaker",
    "sagemaker-runtime",
    "scheduler",
    "secretsmanager",
    "sns",
    "sqs",
    "ssm",
    "sts",
)
"""AWS services that functions may talk to: botocore's descriptions of the other four hundred stay behind."""


@dataclass(frozen=True, slots=True)
class PackagePart:
    """Packages that ship together.

    packages    distribution names; their versions are those of constraints.txt. Listed one by one,
                because what a package declares and what it imports at run time are not the same
    leave_out   glob patterns on paths below site-packages (`*` also crosses folders)
    mounted_at  where Lambda puts them: what tracebacks say
    """

    name: str
    packages: tuple[str, ...]
    exclude: tuple[str, ...]
    mounted_at: str

    def includes(self, path: str) -> bool:
        """Whether the file at this path, relative to site-packages, is part of it."""
        if any(fnmatch(path, pattern) for pattern in (*_EXCLUDED_FILES, *self.exclude)):
            return False
        return not path.startswith("botocore/data/") or _includes_botocore_data(
            path.removeprefix("botocore/data/")
        )


FUNCTION_PACKAGES = PackagePart(
    "light",
    packages=(
        "aws_lambda_powertools",
        "boto3",
        "botocore",
        "jmespath",
        "msgspec",
        "python-dateutil",
        "s3transfer",
        "six",
        "typing_extensions",
        "urllib3",
    ),
    exclude=("boto3/examples/*",),
    mounted_at="/var/task",
)

RUNTIME_LAYER = PackagePart(
    "runtime",
    # onnxruntime also declares flatbuffers, packaging and protobuf: only its tools import them
    packages=("numpy", "onnxruntime", "pillow"),
    exclude=(
        "numpy/distutils/*",
        "numpy/f2py/*",
        "numpy/random/_examples/*",
        "onnxruntime/backend/*",
        "onnxruntime/datasets/*",
        "onnxruntime/quantization/*",
        "onnxruntime/tools/*",
        "onnxruntime/transformers/*",
        # a second copy of the engine for C programs; the Python module has its own linked in
        "onnxruntime/capi/libonnxruntime.so*",
    ),
    mounted_at="/opt/python",
)

AUTH_LAYER = PackagePart(
    "auth", packages=("cffi", "cryptography", "PyJWT"), exclude=(), mounted_at="/opt/python"
)

API_LAYER = PackagePart(
    "api",
    packages=("annotated-types", "pydantic", "pydantic_core", "typing-inspection", "typing_extensions"),
    exclude=("pydantic/v1/*", "pydantic/mypy.py"),
    mounted_at="/opt/python",
)

LAYERS = (RUNTIME_LAYER, AUTH_LAYER, API_LAYER)
"""Each is a Lambda layer of its own, for the functions that need it: the lanes load no pydantic."""


def _includes_botocore_data(path: str) -> bool:
    service, slash, rest = path.partition("/")
    return not slash or (service in SERVICES and not rest.split("/")[-1].startswith("examples-"))


# MERGED: botocore's descriptions of services, made quick to read: a third of a client's making was spent on
#   them. / They ship compressed, with all of AWS's reference in prose, and beside a file of every service's
#   endpoints.


def strip_botocore_data(data: Path) -> None:
    """Leave out prose and the endpoints of services that are not described here, and unpack the rest."""
    compressed = sorted(data.glob("*/*/*.json.gz"))
    descriptions = [json.loads(gzip.decompress(path.read_bytes())) for path in compressed]
    for path, description in zip(compressed, descriptions, strict=True):
        _write_json(path.with_suffix(""), _without_documentation(description))
        path.unlink()
    endpoint_prefixes = {
        one["metadata"]["endpointPrefix"]
        for one in descriptions
        if "endpointPrefix" in one.get("metadata", {})
    }
    endpoints = json.loads((data / "endpoints.json").read_text())
    for partition in endpoints["partitions"]:
        partition["services"] = {
            name: one for name, one in partition["services"].items() if name in endpoint_prefixes
        }
    _write_json(data / "endpoints.json", endpoints)


def _without_documentation(node: Any) -> Any:
    """Prose is text; a field of that name is described by more than text. botocore asks for some of it."""
    match node:
        case {"documentation": str(), **told}:
            return {"documentation": "", **_without_documentation(told)}
        case dict():
            return {name: _without_documentation(one) for name, one in node.items()}
        case list():
            return [_without_documentation(one) for one in node]
    return node


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, separators=(",", ":")))


# MERGED: Fetches third-party packages for a target, and leaves out what a running function does not need.


def pinned_requirements(part: PackagePart, constraints: Path) -> list[str]:
    """The part's packages as `name==version`, in the versions that everything else is tested with."""
    lines = [line.strip() for line in constraints.read_text().splitlines()]
    pinned = {_normalized_name(line.split("==")[0]): line for line in lines if "==" in line}
    missing = [name for name in part.packages if _normalized_name(name) not in pinned]
    if missing:
        raise PackagingError(f"{constraints.name} pins no version of {', '.join(missing)}.")
    return [pinned[_normalized_name(name)] for name in part.packages]


def install_part(part: PackagePart, target: Target, requirements: list[str], target_folder: Path) -> None:
    """Make `place` the site-packages of a part: fetched, thinned out, compiled where that is possible."""
    downloaded = target_folder.with_name(f"{target_folder.name}-fetched")
    _pip_install(target, requirements, downloaded)
    for path in list_files(downloaded):
        name = path.relative_to(downloaded).as_posix()
        if part.includes(name):
            (target_folder / name).parent.mkdir(parents=True, exist_ok=True)
            path.rename(target_folder / name)
    shutil.rmtree(downloaded)
    if (target_folder / "botocore").is_dir():
        strip_botocore_data(target_folder / "botocore" / "data")
    compile_folder(target_folder, target, part.mounted_at)


def _pip_install(target: Target, requirements: list[str], folder: Path) -> None:
    """Install wheels, never sources: what is fetched for another machine cannot be built here."""
    install = [sys.executable, "-m", "pip", "install", "-qq", "--no-deps", "--no-compile"]
    command = [*install, "--target", str(folder)]
    if target.platforms:
        tags = [word for tag in target.platforms for word in ("--platform", tag)]
        command += ["--only-binary=:all:", "--implementation", "cp", "--python-version", target.python, *tags]
    run_program([*command, *requirements], failure=f"The packages for {target.name} could not be fetched:")


def _normalized_name(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()
