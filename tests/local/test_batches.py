"""Lambda's rules for partial batch responses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra.local.answers import Answer
from infra.local.batches import failures

_IDS = ["a", "b"]


def _answer(value: Any, error: str | None = None) -> Answer:
    return Answer("id", json.dumps(value).encode(), error, 0.0)


@pytest.mark.parametrize(
    ("response", "failed"),
    [
        (None, set()),
        ({}, set()),
        ({"batchItemFailures": []}, set()),
        ({"batchItemFailures": None}, set()),
        ({"batchItemFailures": [{"itemIdentifier": "a"}]}, {"a"}),
        ({"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "a"}]}, {"a"}),
        ({"batchItemFailures": [{"itemIdentifier": "nobody"}]}, {"a", "b"}),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, {"a", "b"}),
        ({"batchItemFailures": [{"itemIdentifier": None}]}, {"a", "b"}),
        ({"batchItemFailures": [{"wrongName": "a"}]}, {"a", "b"}),
        ({"batchItemFailures": "a"}, {"a", "b"}),
        ("done", {"a", "b"}),
    ],
)
def test_a_response_names_what_failed_or_stands_for_the_whole_batch(response: Any, failed: set[str]):
    assert failures(_answer(response), _IDS, partial=True) == failed


def test_an_error_fails_the_whole_batch():
    assert failures(_answer(None, "Unhandled"), _IDS, partial=True) == {"a", "b"}


def test_without_partial_responses_the_answer_does_not_matter():
    assert failures(_answer({"batchItemFailures": [{"itemIdentifier": "a"}]}), _IDS, partial=False) == set()
