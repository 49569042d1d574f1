"""What is looked for after an erasure is found in rows, but for the receipt that says so."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from vigil_cli.deployment import Deployment
from vigil_cli.erasure_scan import SCANNED_TABLES, ErasureScan

PERSON, SEAL = "p-0123456789ab", "c2VhbA=="


@pytest.fixture
def cloud(aws: Callable[[str], Any]) -> Any:
    for table in SCANNED_TABLES:
        aws("dynamodb").create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )

    return SimpleNamespace(client=aws, outputs={table: table for table in SCANNED_TABLES})


def test_the_kept_receipt_is_no_remains_and_any_other_answer_is(cloud: Deployment):
    answers = {
        "receipt": f'{{"receipt": {{"person": "{PERSON}"}}, "mac": "{SEAL}"}}',
        "other": f'{{"person": "{PERSON}"}}',
    }
    for ident, text in answers.items():
        row = {"id": {"S": ident}, "data": {"S": text}}
        cloud.client("dynamodb").put_item(TableName="CallersTable", Item=row)

    found = [list(ErasureScan(cloud, [PERSON], None, signature=seal).scans["rows"]()) for seal in (SEAL, "")]

    assert [len(hits) for hits in found] == [1, 2]
    assert "other" in found[0][0]
