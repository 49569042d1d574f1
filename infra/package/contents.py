"""What ships where: the third-party packages of the function zip and of the runtime layer, as data."""

from dataclasses import dataclass
from fnmatch import fnmatch

_NEVER = (
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
class Part:
    """Packages that ship together.

    packages    distribution names; their versions are those of constraints.txt. Listed one by one,
                because what a package declares and what it imports at run time are not the same
    leave_out   glob patterns on paths below site-packages (`*` also crosses folders)
    mounted_at  where Lambda puts them: what tracebacks say
    """

    name: str
    packages: tuple[str, ...]
    leave_out: tuple[str, ...]
    mounted_at: str

    def ships(self, path: str) -> bool:
        """Whether the file at this path, relative to site-packages, is part of it."""
        if any(fnmatch(path, pattern) for pattern in (*_NEVER, *self.leave_out)):
            return False
        return not path.startswith("botocore/data/") or _described(path.removeprefix("botocore/data/"))


LIGHT = Part(
    "light",
    packages=(
        "aws_lambda_powertools",
        "boto3",
        "botocore",
        "jmespath",
        "python-dateutil",
        "s3transfer",
        "six",
        "typing_extensions",
        "urllib3",
    ),
    leave_out=("boto3/examples/*",),
    mounted_at="/var/task",
)

RUNTIME = Part(
    "runtime",
    # onnxruntime also declares flatbuffers, packaging and protobuf: only its tools import them
    packages=("numpy", "onnxruntime", "pillow"),
    leave_out=(
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

AUTH = Part("auth", packages=("cffi", "cryptography", "PyJWT"), leave_out=(), mounted_at="/opt/python")

API = Part(
    "api",
    packages=("annotated-types", "pydantic", "pydantic_core", "typing-inspection", "typing_extensions"),
    leave_out=("pydantic/v1/*", "pydantic/mypy.py"),
    mounted_at="/opt/python",
)

LAYERS = (RUNTIME, AUTH, API)
"""Each is a Lambda layer of its own, for the functions that need it: the lanes load no pydantic."""


def _described(path: str) -> bool:
    service, slash, rest = path.partition("/")
    return not slash or (service in SERVICES and not rest.split("/")[-1].startswith("examples-"))
