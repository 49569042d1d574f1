"""boto3's client of Amazon Rekognition, sent to Vigil with a bearer token."""

from typing import TYPE_CHECKING, Any

from vigil_client.transport import Token

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest
    from botocore.config import Config

PATH = "/rekognition"


def rekognition(url: str, token: Token, *, config: "Config | None" = None) -> Any:
    """A `boto3.client("rekognition")` whose requests go to the API at `url`; boto3 must be installed.

    Retries, paginators and exceptions are boto3's own.

    token   a bearer token, or a function that returns a valid one for each request
    config  further settings of boto3, such as timeouts and retries
    """
    import boto3  # noqa: PLC0415 - the rest of this package does not need boto3
    from botocore import UNSIGNED  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    unsigned = Config(signature_version=UNSIGNED)
    client = boto3.session.Session().client(
        "rekognition",
        region_name="us-east-1",  # boto3 requires one; the address does not depend on it
        endpoint_url=url.rstrip("/") + PATH,
        config=config.merge(unsigned) if config else unsigned,
    )

    def add_token(request: "AWSPreparedRequest", **_: Any) -> None:
        bearer = token if isinstance(token, str) else token()
        request.headers["Authorization"] = f"Bearer {bearer}"

    client.meta.events.register("before-send.rekognition", add_token)
    return client
