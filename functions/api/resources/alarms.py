"""The alarms of the deployment."""

from cloud.cloudwatch import AlarmView
from functions.api.operation import Call, operation
from functions.api.schemas.status import AlarmList, AlarmOut
from functions.runtime.container import container

RUNBOOK = "docs/operations.md"


@operation("GET", "/v1/alarms", role="operator", bound_tokens="allowed")
def list_alarms(_: Call) -> AlarmList:
    """List the alarms that notify operators.

    Alarms in the state ALARM are listed first. `runbook` names the section of the run-book about the alarm.
    """
    prefix = container().settings.records_table.removesuffix("records")
    alarms = [_to_alarm(one, prefix) for one in container().cloudwatch.alarms(prefix)]
    return AlarmList(items=tuple(sorted(alarms, key=lambda one: (one.state != "ALARM", one.name))))


def _to_alarm(view: AlarmView, prefix: str) -> AlarmOut:
    description, _, section = view.description.partition(f" {RUNBOOK}#")
    return AlarmOut(
        name=view.name.removeprefix(prefix),
        state=view.state,
        since=view.since,
        description=description.rstrip("."),
        runbook=f"{RUNBOOK}#{section}" if section else None,
        reason=view.reason or None,
    )
