"""The bucket that deployments read from: made once, and put right at every deploy."""

import json
from typing import Any

from botocore.exceptions import ClientError

from infra.deploy.errors import DeployError

_DEFAULT_REGION = "us-east-1"
"""The one region that S3 does not want to be told about."""


def ensure_bucket(s3: Any, *, account: str, region: str) -> str:
    """Have a private, versioned, encrypted, TLS-only bucket of this account; returns its name."""
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
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps(_tls_only_policy(name)))
    return name


def _is_owned(s3: Any, name: str, account: str) -> bool:
    """False when there is none yet. Names are public: the same name may belong to somebody else."""
    try:
        s3.head_bucket(Bucket=name, ExpectedBucketOwner=account)
    except ClientError as error:
        if error.response["Error"]["Code"] in {"404", "NoSuchBucket"}:
            return False
        raise DeployError(f"The bucket {name} exists but is not yours to use: {error}") from error
    return True


def _tls_only_policy(name: str) -> dict[str, Any]:
    arn = f"arn:aws:s3:::{name}"
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
            "ID": "tidy",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 90},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        }
    ]
}
