"""Labels: what people say a drop shows, for the next data set."""

from datetime import UTC, datetime

from functions import registers
from functions.api import wiring
from functions.api.operation import Call, Operation
from functions.api.problems import NotFound, Refused
from functions.api.schemas.drops import Label, Labelled
from vigil.flow.label import NotToLabel, label


def label_drop(call: Call, said: Label) -> Labelled:
    """What a drop shows; a later word replaces an earlier one."""
    drop = call.path["drop"]
    row = wiring.records().drop(drop)
    if row is None or not call.caller.sees(row["taken_from"]):
        raise NotFound
    try:
        made = label(
            drop,
            said.label,
            call.caller.id,
            datetime.now(UTC),
            drops=wiring.records(),
            labels=registers.labels(),
        )
    except NotToLabel as error:
        raise Refused(str(error), reason="not-to-label") from error
    return Labelled(drop=made.drop, label=made.label)


OPERATIONS = (
    Operation(
        "PUT",
        "/v1/drops/{drop}/label",
        name="label-drop",
        summary="Say what a drop shows",
        serve=label_drop,
        role="reviewer",
        takes=Label,
        answers=Labelled,
        audited=True,
        example={"label": "7"},
        problems=(NotFound, Refused),
    ),
)
