"""HTTP → JSON."""

from chalice import Blueprint

trigger = Blueprint(__name__)


@trigger.route("/v1/health", methods=["GET"])
def on_health() -> dict[str, str]:
    """The gateway and its function answer; nothing about the deployment is told to the unauthenticated."""
    return {"status": "ok"}
