"""What people said a drop shows: label rows, from corrections and from reviewed alerts alike."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from cloud.decisions import LABELS_KEPT
from cloud.departed import unless_departed
from cloud.faults import FAILED, cancelled, faults
from cloud.items import item
from cloud.listing import Listing, listed
from vigil.flow.label import Label, NotToLabel
from vigil.learn.consent import is_person


class DynamoLabels:
    """Rows: label#<drop> label, listed by model. A later word on the same drop replaces the one before."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def keep(self, label: Label) -> None:
        row = {
            "pk": f"label#{label.drop}",
            "sk": "label",
            "drop_id": label.drop,
            "model": label.model,
            "taken_from": label.source,
            "label": label.label,
            "subject": label.label if is_person(label.label) else None,
            "labelled_by": label.by,
            "labelled_at": label.at.isoformat(),
            "expires": int((label.at + LABELS_KEPT).timestamp()),
            **listed(f"labels#{label.model}", label.drop, label.at),
        }
        writes = [{"Put": {"TableName": self._table, "Item": item(row)}}]
        writes += unless_departed(self._table, [label.label])
        with faults("keep label"):
            try:
                self._client.transact_write_items(TransactItems=writes)
            except ClientError as error:
                if FAILED not in cancelled(error):
                    raise
                raise NotToLabel("who is being erased is no label") from error

    def of(self, model: str, since: datetime | None = None) -> Iterator[Label]:
        """A model's labels, kept for ninety days; an alert counts if it was confirmed.

        since  only those that were given, or changed, from then on
        """
        for row in Listing(self._client, self._table).newest(f"labels#{model}", since=since):
            said = _said(row)
            if said:
                yield _label(row, said)


def _label(row: dict[str, Any], said: str) -> Label:
    return Label(
        drop=row["drop_id"],
        model=row["model"],
        source=row["taken_from"],
        label=said,
        by=row["labelled_by"],
        at=datetime.fromisoformat(row["labelled_at"]),
        sighting=row.get("sighting"),
        taken_for=row.get("taken_for", ""),
    )


def _said(row: dict[str, Any]) -> str:
    """The label; "" where a reviewer only said what a drop does not show."""
    if "label" in row:
        return str(row["label"])
    return str(row.get("subject", "")) if row.get("verdict") == "confirmed" else ""
