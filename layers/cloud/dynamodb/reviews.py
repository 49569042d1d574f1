"""Reviews of alerts in the records table: verdicts, the silence after a dismissal, labels for training."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from cloud.dynamodb.attributes import Item, to_attribute, to_item
from cloud.dynamodb.erasure_marker import unless_being_erased
from cloud.dynamodb.queries import Listing, listing_attributes
from cloud.errors import CONDITION_FAILED, cancellation_reasons, error_code, translate_errors
from vigil.alerts.reviews import SUPPRESSION_PERIOD, AlertState, Review
from vigil.errors import ConcurrentUpdate
from vigil.people.consent import is_person_id
from vigil.training.labels import CannotLabel, Label

_FIRST_REVIEW_CONDITION = "attribute_exists(pk) AND attribute_not_exists(reviews)"
LABEL_TTL = timedelta(days=90)


def suppression_key(rule: str, subject: str, source: str) -> Item:
    """The row that keeps a rule silent about a subject at a source."""
    return to_item({"pk": f"suppression#{rule}#{source}#{subject}", "sk": "suppression"})


class DynamoReviews:
    """Writes a verdict and what follows from it in one transaction."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def save_review(self, alert: Mapping[str, Any], review: Review, state: AlertState) -> None:
        """Add a verdict to an alert as it was read. Raises Overtaken: reviewed, or its subject erased."""
        writes = [{"Update": self._review_update(alert, review, state)}]
        if state != "open":
            writes.append(
                {"Put": {"TableName": self._table, "Item": _label_from_review(alert, review, state)}}
            )
        if state == "dismissed":
            writes.append(
                {"Put": {"TableName": self._table, "Item": _suppression_row(alert, review.reviewed_at)}}
            )
        writes += unless_being_erased(self._table, [alert["subject_id"]])
        with translate_errors("records", "save review"):
            try:
                self._client.transact_write_items(TransactItems=writes)
            except ClientError as error:
                if error_code(error) != "TransactionCanceledException":
                    raise
                raise ConcurrentUpdate("it has changed meanwhile") from error

    def _review_update(self, alert: Mapping[str, Any], review: Review, state: AlertState) -> dict[str, Any]:
        entry = {
            "reviewer": review.reviewer,
            "decision": review.decision,
            "at": review.reviewed_at.isoformat(),
        }
        previous_reviews = list(alert.get("reviews", ()))
        return {
            "TableName": self._table,
            "Key": to_item({"pk": f"alert#{alert['alert_id']}", "sk": "alert"}),
            "UpdateExpression": "SET reviews = :reviews, review = :state",
            "ConditionExpression": "reviews = :before" if previous_reviews else _FIRST_REVIEW_CONDITION,
            "ExpressionAttributeValues": {
                ":reviews": to_attribute([*previous_reviews, entry]),
                ":state": to_attribute(state),
            }
            | ({":before": to_attribute(previous_reviews)} if previous_reviews else {}),
        }


def _label_from_review(alert: Mapping[str, Any], review: Review, state: AlertState) -> Item:
    """What the data set takes up: which sighting, what it was taken for, and whether people agreed."""
    return to_item(
        {
            "pk": f"label#{alert['alert_id']}",
            "sk": "label",
            "drop_id": alert["drop_id"],
            "sighting": alert["sighting"],
            "model": alert["model"],
            "source": alert["source"],
            "predicted_label": alert["subject_id"],
            "subject": alert.get("subject"),
            "decision": state,
            "labelled_by": review.reviewer,
            "labelled_at": review.reviewed_at.isoformat(),
            "expires": int((review.reviewed_at + LABEL_TTL).timestamp()),
            **listing_attributes(f"labels#{alert['model']}", str(alert["alert_id"]), review.reviewed_at),
        }
    )


def _suppression_row(alert: Mapping[str, Any], at: datetime) -> Item:
    until = int((at + SUPPRESSION_PERIOD).timestamp())
    key = suppression_key(alert["rule"], alert["subject_id"], alert["source"])
    return key | to_item(
        {"until": until, "expires": until, "subject": alert.get("subject"), "list_at": at.isoformat()}
    )


# MERGED: What people said a drop shows: label rows, from corrections and from reviewed alerts alike.


class DynamoLabels:
    """Rows: label#<drop> label, listed by model. A later word on the same drop replaces the one before."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def save_label(self, label: Label) -> None:
        row = {
            "pk": f"label#{label.drop}",
            "sk": "label",
            "drop_id": label.drop,
            "model": label.model,
            "source": label.source,
            "label": label.label,
            "subject": label.label if is_person_id(label.label) else None,
            "labelled_by": label.labelled_by,
            "labelled_at": label.labelled_at.isoformat(),
            "expires": int((label.labelled_at + LABEL_TTL).timestamp()),
            **listing_attributes(f"labels#{label.model}", label.drop, label.labelled_at),
        }
        writes = [{"Put": {"TableName": self._table, "Item": to_item(row)}}]
        writes += unless_being_erased(self._table, [label.label])
        with translate_errors("records", "save label"):
            try:
                self._client.transact_write_items(TransactItems=writes)
            except ClientError as error:
                if CONDITION_FAILED not in cancellation_reasons(error):
                    raise
                raise CannotLabel("who is being erased is no label") from error

    def for_model(self, model: str, since: datetime | None = None) -> Iterator[Label]:
        """A model's labels, kept for ninety days; an alert counts if it was confirmed.

        since  only those that were given, or changed, from then on
        """
        for row in Listing(self._client, self._table).newest(f"labels#{model}", since=since):
            text = _label_text(row)
            if text:
                yield _label_from_row(row, text)


def _label_from_row(row: dict[str, Any], text: str) -> Label:
    return Label(
        drop=row["drop_id"],
        model=row["model"],
        source=row["source"],
        label=text,
        labelled_by=row["labelled_by"],
        labelled_at=datetime.fromisoformat(row["labelled_at"]),
        sighting=row.get("sighting"),
        predicted_label=row.get("predicted_label", ""),
    )


def _label_text(row: dict[str, Any]) -> str:
    """The label; "" where a reviewer only said what a drop does not show."""
    if "label" in row:
        return str(row["label"])
    return str(row.get("subject", "")) if row.get("decision") == "confirmed" else ""
