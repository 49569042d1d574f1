"""Reviews of alerts in the records table: verdicts, the silence after a dismissal, labels for training."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from cloud.departed import unless_departed
from cloud.faults import code, faults
from cloud.items import Item, item, value
from cloud.listing import listed
from vigil.errors import VigilError
from vigil.watch.reviews import QUIET, Review, State

_FIRST = "attribute_exists(pk) AND attribute_not_exists(reviews)"
LABELS_KEPT = timedelta(days=90)


class Overtaken(VigilError):
    """Somebody else reviewed the same alert in between."""


def silence_key(rule: str, subject: str, source: str) -> Item:
    """The row that keeps a rule silent about a subject at a source."""
    return item({"pk": f"silence#{rule}#{source}#{subject}", "sk": "silence"})


class DynamoDecisions:
    """Writes a verdict and what follows from it in one transaction."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def keep(self, alert: Mapping[str, Any], review: Review, state: State) -> None:
        """Add a verdict to an alert as it was read. Raises Overtaken: reviewed, or its subject erased."""
        writes = [{"Update": self._verdict(alert, review, state)}]
        if state != "open":
            writes.append({"Put": {"TableName": self._table, "Item": _label(alert, review, state)}})
        if state == "dismissed":
            writes.append({"Put": {"TableName": self._table, "Item": _silence(alert, review.at)}})
        writes += unless_departed(self._table, [alert["subject_id"]])
        with faults("keep review"):
            try:
                self._client.transact_write_items(TransactItems=writes)
            except ClientError as error:
                if code(error) != "TransactionCanceledException":
                    raise
                raise Overtaken("it has changed meanwhile") from error

    def _verdict(self, alert: Mapping[str, Any], review: Review, state: State) -> dict[str, Any]:
        told = {"reviewer": review.reviewer, "verdict": review.verdict, "at": review.at.isoformat()}
        so_far = list(alert.get("reviews", ()))
        return {
            "TableName": self._table,
            "Key": item({"pk": f"alert#{alert['alert_id']}", "sk": "alert"}),
            "UpdateExpression": "SET reviews = :reviews, review = :state",
            "ConditionExpression": "reviews = :before" if so_far else _FIRST,
            "ExpressionAttributeValues": {
                ":reviews": value([*so_far, told]),
                ":state": value(state),
            }
            | ({":before": value(so_far)} if so_far else {}),
        }


def _label(alert: Mapping[str, Any], review: Review, state: State) -> Item:
    """What the data set takes up: which sighting, what it was taken for, and whether people agreed."""
    return item(
        {
            "pk": f"label#{alert['alert_id']}",
            "sk": "label",
            "drop_id": alert["drop_id"],
            "sighting": alert["sighting"],
            "model": alert["model"],
            "taken_from": alert["taken_from"],
            "taken_for": alert["subject_id"],
            "subject": alert.get("subject"),
            "verdict": state,
            "labelled_by": review.reviewer,
            "labelled_at": review.at.isoformat(),
            "expires": int((review.at + LABELS_KEPT).timestamp()),
            **listed(f"labels#{alert['model']}", str(alert["alert_id"]), review.at),
        }
    )


def _silence(alert: Mapping[str, Any], at: datetime) -> Item:
    until = int((at + QUIET).timestamp())
    key = silence_key(alert["rule"], alert["subject_id"], alert["taken_from"])
    return key | item(
        {"until": until, "expires": until, "subject": alert.get("subject"), "list_at": at.isoformat()}
    )
