"""A message is seen again when a function fails, is not seen by two at once, and ends somewhere."""

from typing import Any

import pytest

from tests.infra.conftest import Template, of_type

FUNCTION, QUEUE = "AWS::Serverless::Function", "AWS::SQS::Queue"


@pytest.fixture(scope="session")
def queues(template: Template) -> dict[str, dict[str, Any]]:
    return of_type(template, QUEUE)


def test_queues_that_are_worked_on_have_dead_letters(template: Template, queues: dict[str, dict[str, Any]]):
    for _, event in _sources(template, "SQS"):
        target = queues[event["Queue"]["Fn::GetAtt"][0]]["RedrivePolicy"]["deadLetterTargetArn"]

        assert target["Fn::GetAtt"][0] in queues


def test_queues_are_encrypted(queues: dict[str, dict[str, Any]]):
    for name, queue in queues.items():
        assert queue.get("KmsMasterKeyId") or queue.get("SqsManagedSseEnabled"), name


def test_dead_letters_are_kept_as_long_as_sqs_can(queues: dict[str, dict[str, Any]]):
    for name, queue in queues.items():
        if "RedrivePolicy" not in queue:
            assert queue["MessageRetentionPeriod"] == 1_209_600, name


def test_a_message_stays_hidden_for_six_times_as_long_as_a_function_may_take(
    template: Template, queues: dict[str, dict[str, Any]]
):
    for function, event in _sources(template, "SQS"):
        hidden_s = _default(template, queues[event["Queue"]["Fn::GetAtt"][0]]["VisibilityTimeout"])

        assert hidden_s >= 6 * _default(template, function["Timeout"])


def test_only_failed_messages_of_a_batch_come_back(template: Template):
    sources = [event for kind in ("SQS", "DynamoDB") for _, event in _sources(template, kind)]

    assert sources
    assert all(event["FunctionResponseTypes"] == ["ReportBatchItemFailures"] for event in sources)


def test_a_stream_gives_up_on_a_record_only_into_a_queue(template: Template):
    for _, event in _sources(template, "DynamoDB"):
        assert event["MaximumRetryAttempts"] > 0
        assert event["DestinationConfig"]["OnFailure"]["Type"] == "SQS"


def _sources(template: Template, kind: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Every (function, event source) of a kind."""
    return [
        (function, event["Properties"])
        for function in of_type(template, FUNCTION).values()
        for event in function.get("Events", {}).values()
        if event["Type"] == kind
    ]


def _default(template: Template, value: Any) -> int:
    """A number, or the default of the parameter that stands for it."""
    return int(template["Parameters"][value["Ref"]]["Default"] if isinstance(value, dict) else value)
