"""Port Operators: a topic that wakes people. References and fingerprints, never a name or a face."""

import json
from typing import Any

from cloud.faults import faults
from vigil.steady.letters import Alert


class SnsOperators:
    """One message a new fault, as JSON."""

    def __init__(self, client: Any, arn: str) -> None:
        self._client, self._arn = client, arn

    def tell(self, alert: Alert) -> None:
        mark = alert.case.fingerprint
        evidence = {
            "type": "vigil.fault.new",
            "fingerprint": mark.id,
            "stage": mark.stage,
            "kind": mark.kind,
            "message": mark.message,
            "release": mark.release,
            "dependency": mark.dependency,
            "lane": alert.letter.lane,
            "letters": alert.letters,
            "drops": [drop.id for drop in alert.letter.drops][:10],
            "manual": "docs/operations.md#new-fault",
        }
        subject = f"vigil: {mark.kind} in {mark.stage}"[:100]
        with faults("tell operators"):
            self._client.publish(TopicArn=self._arn, Subject=subject, Message=json.dumps(evidence, indent=1))
