"""The part of SageMaker's API that training jobs need."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from infra.local.lambda_.api import ApiResponse, api_response
from infra.local.sagemaker.job import TERMINAL_STATUSES
from infra.local.sagemaker.jobs import TrainingJobs

TARGET_PREFIX = "SageMaker."
TRAINING_JOB_ARN = "arn:aws:sagemaker:eu-west-1:123456789012:training-job/{}"
_JOB_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")


class SageMakerApi:
    """Answers calls by their X-Amz-Target."""

    def __init__(self, jobs: TrainingJobs) -> None:
        self._jobs = jobs
        self._operations: Mapping[str, Callable[[dict[str, Any]], ApiResponse]] = {
            "CreateTrainingJob": self._create_training_job,
            "DescribeTrainingJob": self._describe_training_job,
            "StopTrainingJob": self._stop_training_job,
            "ListTrainingJobs": self._list_training_jobs,
        }

    def handle(self, target: str, body: bytes) -> ApiResponse:
        """Answer one call."""
        operation = self._operations.get(target.removeprefix(TARGET_PREFIX))
        if operation is None:
            return _error_response("UnknownOperationException", f"the local cloud does not imitate {target}")
        return operation(json.loads(body or b"{}"))

    def _create_training_job(self, request: dict[str, Any]) -> ApiResponse:
        name = request["TrainingJobName"]
        if not _JOB_NAME.fullmatch(name):
            return _error_response(
                "ValidationException", f"TrainingJobName {name!r} must be letters, digits, hyphens"
            )
        if name in self._jobs.jobs:
            return _error_response("ResourceInUse", f"Training job names must be unique: {name}")
        if self._jobs.capacity_refusals > 0:
            self._jobs.capacity_refusals -= 1
            return _error_response("ResourceLimitExceeded", "no capacity, as was asked for")
        return api_response({"TrainingJobArn": self._jobs.start(request, TRAINING_JOB_ARN.format(name)).arn})

    def _describe_training_job(self, request: dict[str, Any]) -> ApiResponse:
        job = self._jobs.jobs.get(request["TrainingJobName"])
        return api_response(job.describe()) if job else _not_found(request)

    def _stop_training_job(self, request: dict[str, Any]) -> ApiResponse:
        job = self._jobs.jobs.get(request["TrainingJobName"])
        if job is None:
            return _not_found(request)
        if job.status in TERMINAL_STATUSES:
            text = f"The request was rejected because the training job is in status {job.status}."
            return _error_response("ValidationException", text)
        self._jobs.stop(job.name)
        return api_response({})

    def _list_training_jobs(self, _request: dict[str, Any]) -> ApiResponse:
        names = ("TrainingJobArn", "CreationTime", "TrainingJobStatus", "TrainingJobName")
        descriptions = [job.describe() for job in self._jobs.jobs.values()]
        return api_response(
            {"TrainingJobSummaries": [{name: one[name] for name in names} for one in descriptions]}
        )


def _not_found(request: Mapping[str, Any]) -> ApiResponse:
    return _error_response(
        "ValidationException", f"Requested resource not found: {request['TrainingJobName']}"
    )


def _error_response(code: str, text: str) -> ApiResponse:
    return api_response({"__type": code, "message": text}, 400)
