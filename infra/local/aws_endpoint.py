"""The HTTP endpoint of the services that moto does not run: Lambda and SageMaker."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

from infra.local.faults.aws_calls import service_name, worker_pid
from infra.local.faults.model import FaultInjector
from infra.local.http_server import HttpServer, RequestHandler
from infra.local.lambda_.api import ApiResponse, LambdaApi, api_response
from infra.local.process import ThreadSupervisor
from infra.local.sagemaker.jobs import TARGET_PREFIX, SageMakerApi


class AwsEndpoint(HttpServer):
    """Listens from the start; calls wait in the socket's queue until `start_serving`."""

    def __init__(self, supervisor: ThreadSupervisor, fault_injector: FaultInjector, *, port: int = 0) -> None:
        super().__init__(_EndpointRequests, "aws-endpoint", supervisor, port=port)
        self._fault_injector = fault_injector

    def start_serving(self, lambda_api: LambdaApi, sagemaker_api: SageMakerApi) -> None:
        """Answer calls from now on."""
        self._lambda_api = lambda_api
        self._sagemaker_api = sagemaker_api
        self.start()

    def handle(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> ApiResponse:
        """Answer one API call; injected faults apply to the calls of functions only."""
        faults, happens = self._fault_injector.faults, self._fault_injector.inject
        if faults is None or worker_pid(headers.get("User-Agent", "")) is None:
            return self._dispatch(method, target, headers, body)
        service = service_name(headers.get("Authorization", ""))
        if happens(f"{service} throttled", faults.throttles.get(service, 0)):
            return _fault_response(429, "TooManyRequestsException")
        if happens(f"{service} failed before", faults.errors.get(service, 0) / 2):
            return _fault_response(500, "ServiceException")
        response = self._dispatch(method, target, headers, body)
        if happens(f"{service} failed after", faults.errors.get(service, 0) / 2):
            return _fault_response(500, "ServiceException")
        return response

    def _dispatch(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> ApiResponse:
        if headers.get("X-Amz-Target", "").startswith(TARGET_PREFIX):
            return self._sagemaker_api.handle(headers["X-Amz-Target"], body)
        return self._lambda_api.handle(method, target, headers, body)


def _fault_response(status: int, code: str) -> ApiResponse:
    return api_response({"__type": code, "message": "injected fault"}, status, x_amzn_ErrorType=code)


class _EndpointRequests(RequestHandler):
    def _handle(self) -> None:
        endpoint = cast(AwsEndpoint, self.server)
        response = endpoint.handle(self.command, self.path, dict(self.headers), self.read_body())
        body = response.body if isinstance(response.body, bytes) else json.dumps(response.body).encode()
        self.send_answer(response.status, body, {"Content-Type": "application/json", **response.headers})

    do_GET = do_POST = do_PUT = do_DELETE = _handle  # noqa: N815 - http.server's names
