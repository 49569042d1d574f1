"""Reviews of alerts in the records table, with their suppressions, and labels for training."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from cloud.dynamodb.attributes import Item, to_item
from cloud.dynamodb.drops import AlertView
from cloud.dynamodb.queries import Listing, Table
from cloud.dynamodb.schema import ALERT, LABEL, SUPPRESSION, listing_attributes
from vigil.alerts.reviews import SUPPRESSION_PERIOD, AlertState, Review
from vigil.errors import ConcurrentUpdate
from vigil.people.consent import is_person_id
from vigil.training.labels import CannotLabel, Label

_FIRST_REVIEW_CONDITION = "attribute_exists(pk) AND attribute_not_exists(reviews)"


class DynamoReviews:
    """Writes a review with its label and suppression in one transaction."""

    def __init__(self, client: Any, table: str) -> None:
        self._rows = Table(client, table)

    def save_review(self, alert: AlertView, review: Review, state: AlertState) -> None:
        """Add a review to an alert as it was read.

        Raises ConcurrentUpdate if there is another review since, or the erasure of the subject has begun.
        """
        rows = []
        if state != "open":
            rows.append(_label_from_review(alert, review, state))
        if state == "dismissed":
            rows.append(_suppression_row(alert, review.reviewed_at))
        writes = [
            self._review_update(alert, review, state),
            *map(self._rows.put_write, rows),
            *self._rows.unless_being_erased([alert.subject_id]),
        ]
        if self._rows.transact(writes, "save review"):
            raise ConcurrentUpdate(f"alert {alert.alert_id} has changed since it was read")

    def _review_update(self, alert: AlertView, review: Review, state: AlertState) -> dict[str, Any]:
        previous = list(map(_review_entry, alert.reviews))
        values = {":reviews": [*previous, _review_entry(review)], ":state": state}
        return self._rows.update_write(
            ALERT.key(alert=alert.alert_id),
            UpdateExpression="SET reviews = :reviews, review = :state",
            ConditionExpression="reviews = :before" if previous else _FIRST_REVIEW_CONDITION,
            ExpressionAttributeValues=to_item(values | ({":before": previous} if previous else {})),
        )


def _review_entry(review: Review) -> dict[str, str]:
    return {
        "reviewer": review.reviewer,
        "decision": review.decision,
        "reviewed_at": review.reviewed_at.isoformat(),
    }


def _label_from_review(alert: AlertView, review: Review, state: AlertState) -> Item:
    """The row for the data set: the sighting, its predicted label and the decision."""
    return LABEL.key(label=alert.alert_id) | to_item(
        {
            "drop_id": alert.drop_id,
            "sighting": alert.sighting,
            "model": alert.model,
            "source": alert.source,
            "predicted_label": alert.subject_id,
            "subject": alert.subject,
            "decision": state,
            "labelled_by": review.reviewer,
            "labelled_at": review.reviewed_at,
            "expires": LABEL.expires(review.reviewed_at),
            **listing_attributes(f"labels#{alert.model}", alert.alert_id, review.reviewed_at),
        }
    )


def _suppression_row(alert: AlertView, at: datetime) -> Item:
    until = int((at + SUPPRESSION_PERIOD).timestamp())
    key = SUPPRESSION.key(rule=alert.rule, source=alert.source, subject=alert.subject_id)
    return key | to_item({"until": until, "expires": until, "subject": alert.subject, "list_at": at})


class DynamoLabels:
    """Labels of drops, by people and from reviews. A later label of a drop replaces the one before."""

    def __init__(self, client: Any, table: str) -> None:
        self._rows, self._listing = Table(client, table), Listing(client, table)

    def save_label(self, label: Label) -> None:
        row = {
            "drop_id": label.drop,
            "model": label.model,
            "source": label.source,
            "label": label.label,
            "subject": label.label if is_person_id(label.label) else None,
            "labelled_by": label.labelled_by,
            "labelled_at": label.labelled_at,
            "expires": LABEL.expires(label.labelled_at),
            **listing_attributes(f"labels#{label.model}", label.drop, label.labelled_at),
        }
        put = self._rows.put_write(LABEL.key(label=label.drop) | to_item(row))
        if self._rows.transact([put, *self._rows.unless_being_erased([label.label])], "save label"):
            raise CannotLabel("cannot use a person whose erasure is in progress as a label")

    def for_model(self, model: str, since: datetime | None = None) -> Iterator[Label]:
        """A model's labels; a reviewed alert counts if it was confirmed.

        since  only labels that were saved at this time or later
        """
        for row in self._listing.newest(f"labels#{model}", since=since):
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
    """The label; empty if a review only says what the drop does not show."""
    if "label" in row:
        return str(row["label"])
    return str(row.get("subject", "")) if row.get("decision") == "confirmed" else ""
