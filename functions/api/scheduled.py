"""The event with which the API starts a scheduled function."""

SCHEDULED_EVENT = {
    "version": "0",
    "id": "by-hand",
    "account": "",
    "region": "",
    "time": "",
    "source": "vigil.api",
    "detail-type": "Scheduled Event",
    "detail": {},
    "resources": [],
}
"""The event of a schedule, to start a scheduled function outside of its schedule."""
