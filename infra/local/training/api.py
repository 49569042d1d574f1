"""The part of SageMaker's API that training jobs need."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from infra.local.lambda_api import Result, result
from infra.local.training.job import ENDS
from infra.local.training.jobs import Jobs

TARGET = "SageMaker."
ARN = "arn:aws:sagemaker:eu-west-1:123456789012:training-job/{}"
_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")


class SageMakerApi:
    """Answers calls by their X-Amz-Target."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._calls: Mapping[str, Callable[[dict[str, Any]], Result]] = {
            "CreateTrainingJob": self._create,
            "DescribeTrainingJob": self._describe,
            "StopTrainingJob": self._stop,
            "ListTrainingJobs": self._list,
        }

    def call(self, target: str, body: bytes) -> Result:
        """Answer one call."""
        serve = self._calls.get(target.removeprefix(TARGET))
        if serve is None:
            return _error("UnknownOperationException", f"the local cloud does not imitate {target}")
        return serve(json.loads(body or b"{}"))

    def _create(self, asked: dict[str, Any]) -> Result:
        name = asked["TrainingJobName"]
        if not _NAME.fullmatch(name):
            return _error("ValidationException", f"TrainingJobName {name!r} must be letters, digits, hyphens")
        if name in self._jobs.jobs:
            return _error("ResourceInUse", f"Training job names must be unique: {name}")
        if self._jobs.refusals > 0:
            self._jobs.refusals -= 1
            return _error("ResourceLimitExceeded", "no capacity, as was asked for")
        return result({"TrainingJobArn": self._jobs.start(asked, ARN.format(name)).arn})

    def _describe(self, asked: dict[str, Any]) -> Result:
        job = self._jobs.jobs.get(asked["TrainingJobName"])
        return result(job.described()) if job else _missing(asked)

    def _stop(self, asked: dict[str, Any]) -> Result:
        job = self._jobs.jobs.get(asked["TrainingJobName"])
        if job is None:
            return _missing(asked)
        if job.status in ENDS:
            text = f"The request was rejected because the training job is in status {job.status}."
            return _error("ValidationException", text)
        self._jobs.stop(job.name)
        return result({})

    def _list(self, _asked: dict[str, Any]) -> Result:
        names = ("TrainingJobArn", "CreationTime", "TrainingJobStatus", "TrainingJobName")
        told = [job.described() for job in self._jobs.jobs.values()]
        return result({"TrainingJobSummaries": [{name: one[name] for name in names} for one in told]})


def _missing(asked: Mapping[str, Any]) -> Result:
    return _error("ValidationException", f"Requested resource not found: {asked['TrainingJobName']}")


def _error(code: str, text: str) -> Result:
    return result({"__type": code, "message": text}, 400)
