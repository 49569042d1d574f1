"""Port Trainer, on SageMaker: a request becomes a training job, its states become events of ours."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from cloud.faults import code, faults
from vigil.learn.dispatch import Accepted, Completed, Event, Failed, Lost, Refused, Starved, Stopped
from vigil.learn.training import Request

_NO_QUOTA = "ResourceLimitExceeded"
_THERE_ALREADY = "ResourceInUse"
_FROM_OUTSIDE = re.compile(r"InternalServerError|exit code: 137\b")
"""SageMaker's own fault, or a process that was killed: 128 and SIGKILL."""

_UNKNOWN = {"ValidationException", "ResourceNotFound"}


@dataclass(frozen=True, slots=True)
class Account:
    """role  that the container works under; key  that what it leaves is encrypted with"""

    role: str
    key: str


class SageMaker:
    """The name of a job is its idempotency key: a job that is there already was asked for by us."""

    def __init__(self, client: Any, account: Account) -> None:
        self._client, self._account = client, account

    def ask(self, request: Request) -> Accepted | Refused:
        with faults(f"train {request.name}"):
            try:
                self._client.create_training_job(**self._written(request))
            except ClientError as error:
                if code(error) == _NO_QUOTA:
                    return Refused("capacity" if "capacity" in str(error).lower() else "quota")
                if code(error) != _THERE_ALREADY:
                    raise
        return Accepted()

    def look(self, name: str) -> Event | None:
        """How a job ended; None while it has not."""
        return event(self.describe(name))

    def describe(self, name: str) -> dict[str, Any]:
        """All that the service tells of a job; of one that it does not know, that it failed."""
        with faults(f"look at {name}"):
            try:
                return dict(self._client.describe_training_job(TrainingJobName=name))
            except ClientError as error:
                if code(error) not in _UNKNOWN:
                    raise
                return {"TrainingJobStatus": "Failed", "FailureReason": "the job is not known any more"}

    def _written(self, request: Request) -> dict[str, Any]:
        machine, limits = request.machine, request.limits
        wait = {"MaxWaitTimeInSeconds": limits.run_s + limits.wait_s} if request.spot else {}
        return {
            "TrainingJobName": request.name,
            "RoleArn": self._account.role,
            "AlgorithmSpecification": {
                "TrainingImage": request.image,
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": n, "Regex": found} for n, found in request.metrics.items()],
            },
            "HyperParameters": dict(request.hyperparameters),
            "InputDataConfig": [_channel(name, where) for name, where in request.channels.items()],
            "OutputDataConfig": {"S3OutputPath": request.output, "KmsKeyId": self._account.key},
            "CheckpointConfig": {"S3Uri": request.checkpoints},
            "ResourceConfig": {
                "InstanceType": machine.instance,
                "InstanceCount": machine.count,
                "VolumeSizeInGB": limits.volume_gb,
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": limits.run_s, **wait},
            "EnableManagedSpotTraining": request.spot,
            "Tags": [{"Key": name, "Value": text} for name, text in request.tags.items()],
        }


def event(told: Mapping[str, Any]) -> Event | None:
    """From what DescribeTrainingJob and the state-change event both say; None while it goes on."""
    reason = str(told.get("FailureReason", ""))
    match told["TrainingJobStatus"]:
        case "Completed":
            return Completed()
        case "Failed" if "CapacityError" in reason:
            return Starved("capacity")
        case "Failed" if _FROM_OUTSIDE.search(reason):
            return Lost(reason)
        case "Failed":
            return Failed(reason or "no reason was told")
        case "Stopped" if told.get("SecondaryStatus") == "MaxWaitTimeExceeded":
            return Starved("capacity")
        case "Stopped":
            return Stopped(str(told.get("SecondaryStatus", "Stopped")))
    return None


def _channel(name: str, where: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": where, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}
