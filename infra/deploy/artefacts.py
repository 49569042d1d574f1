"""The bucket of deployments, and the upload of a package to it under the hashes of its contents."""

import hashlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from infra.deploy.checks import DeployError
from infra.package.artifacts import zip_folder
from infra.package.template import FUNCTION_TYPE, LAYER_TYPE, Template

_DEFAULT_REGION = "us-east-1"
"""The one region without a location constraint."""

_ARTEFACT_PROPERTIES = {FUNCTION_TYPE: "CodeUri", LAYER_TYPE: "ContentUri"}

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ArtefactBucket:
    """The target of uploads; they fail unless `account` owns the bucket."""

    s3: Any
    bucket: str
    account: str
    on_progress: Progress

    def contains(self, key: str) -> bool:
        """Whether the bucket has an object with this key."""
        try:
            self.s3.head_object(Bucket=self.bucket, Key=key, ExpectedBucketOwner=self.account)
        except ClientError as error:
            if error.response["Error"]["Code"] in {"404", "NoSuchKey"}:
                return False
            raise
        return True

    def upload_file(self, path: Path, key: str) -> None:
        """Upload a file; boto3 splits a large one into parts."""
        self.on_progress(f"uploading {key} ({path.stat().st_size / 1_048_576:.1f} MB)")
        owner = {"ExpectedBucketOwner": self.account}
        self.s3.upload_file(Filename=str(path), Bucket=self.bucket, Key=key, ExtraArgs=owner)


def upload_artefacts(template: Template, folder: Path, bucket: ArtefactBucket) -> Template:
    """Upload the code and layers in `folder`; returns the template with their locations on S3."""
    keys: dict[str, str] = {}
    resources = {}
    for name, resource in template["Resources"].items():
        property_name = _ARTEFACT_PROPERTIES.get(resource["Type"])
        if property_name is None:
            resources[name] = resource
            continue
        path = resource["Properties"][property_name]
        if path not in keys:
            keys[path] = _upload_artefact(folder / path, bucket)
        properties = {**resource["Properties"], property_name: {"Bucket": bucket.bucket, "Key": keys[path]}}
        resources[name] = {**resource, "Properties": properties}
    return {**template, "Resources": resources}


def upload_template(template: Template, bucket: ArtefactBucket) -> str:
    """Upload the template, which exceeds CloudFormation's 51 kB for inline templates; returns its URL."""
    body = json.dumps(template, indent=1, sort_keys=True)
    key = f"template/{hashlib.sha256(body.encode()).hexdigest()}.json"
    if not bucket.contains(key):
        owner = {"ExpectedBucketOwner": bucket.account}
        bucket.s3.put_object(Bucket=bucket.bucket, Key=key, Body=body.encode(), **owner)
    suffix = bucket.s3.meta.endpoint_url.split("//s3.", 1)[-1]  # amazonaws.com.cn in China
    return f"https://{bucket.bucket}.s3.{suffix}/{key}"


def content_digest(path: Path) -> str:
    """Hash a file's bytes, or the names and bytes of a folder's files."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    folder_digest = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        if file.is_file():
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            folder_digest.update(f"{file.relative_to(path).as_posix()} {content}\n".encode())
    return folder_digest.hexdigest()


def _upload_artefact(path: Path, bucket: ArtefactBucket) -> str:
    key = f"{path.stem}/{content_digest(path)}.zip"
    if bucket.contains(key):
        return key
    if path.is_file():
        bucket.upload_file(path, key)
        return key
    bucket.on_progress(f"zipping the {path.name} layer")
    with tempfile.TemporaryDirectory() as workspace:
        zipped = Path(workspace) / "layer.zip"
        zip_folder(path, zipped)
        bucket.upload_file(zipped, key)
    return key


def ensure_bucket(s3: Any, *, account: str, region: str) -> str:
    """Create the private, encrypted, TLS-only bucket, or restore its settings; returns its name."""
    name = f"vigil-deploy-{account}-{region}"
    if not _is_owned(s3, name, account):
        where = (
            {} if region == _DEFAULT_REGION else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        )
        s3.create_bucket(Bucket=name, ObjectOwnership="BucketOwnerEnforced", **where)
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=_PUBLIC_ACCESS_BLOCK)
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration=_ENCRYPTION)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration=_LIFECYCLE)
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps(_tls_only_policy(name, s3.meta.partition)))
    return name


def _is_owned(s3: Any, name: str, account: str) -> bool:
    """Whether the bucket exists; raises DeployError if it belongs to another account."""
    try:
        s3.head_bucket(Bucket=name, ExpectedBucketOwner=account)
    except ClientError as error:
        if error.response["Error"]["Code"] in {"404", "NoSuchBucket"}:
            return False
        raise DeployError(f"The bucket {name} exists but this account cannot use it: {error}") from error
    return True


def _tls_only_policy(name: str, partition: str) -> dict[str, Any]:
    arn = f"arn:{partition}:s3:::{name}"
    deny = {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return {"Version": "2012-10-17", "Statement": [deny]}


_PUBLIC_ACCESS_BLOCK = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
_ENCRYPTION = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
_LIFECYCLE = {
    "Rules": [
        {
            "ID": "expire-old-versions",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 90},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        }
    ]
}
