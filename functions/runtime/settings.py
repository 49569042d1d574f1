"""The settings of a function, from its environment; nothing else reads the environment."""

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Thread

CANARY_PHOTO = Path(__file__).parents[1] / "canary.jpg"
"""The known photograph of the canary."""


def canary_digest() -> str:
    """The SHA-256 of the canary's photograph."""
    return hashlib.sha256(CANARY_PHOTO.read_bytes()).hexdigest()


class MissingSetting(KeyError):
    """The template does not set a variable that the function needs."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The environment variables of a function by meaning; a function has only those that it needs."""

    variables: Mapping[str, str]

    def _get(self, name: str) -> str:
        if name not in self.variables:
            raise MissingSetting(f"{name}: set it on the function in infra/template.yaml")
        return self.variables[name]

    @property
    def records_table(self) -> str:
        return self._get("RECORDS_TABLE")

    @property
    def faces_table(self) -> str:
        """Faces of people who are not enrolled."""
        return self._get("FACES_TABLE")

    @property
    def people_table(self) -> str:
        return self._get("PEOPLE_TABLE")

    @property
    def photos_bucket(self) -> str:
        return self._get("PHOTOS_BUCKET")

    @property
    def store_bucket(self) -> str:
        return self._get("STORE_BUCKET")

    @property
    def topic_arn(self) -> str:
        return self._get("TOPIC_ARN")

    @property
    def dead_events_arn(self) -> str:
        """The queue of events that the endpoint of a subscription did not accept."""
        return self._get("SUBSCRIPTION_DEAD_LETTERS_ARN")

    @property
    def queue_url(self) -> str:
        return self._get("QUEUE_URL")

    @property
    def frame_model(self) -> str:
        """The model that frames of clips become drops of."""
        return self._get("FRAME_MODEL")

    @property
    def lane(self) -> str:
        return self._get("LANE")

    @property
    def event_source(self) -> str:
        """The deployment as a CloudEvents source, a URI reference."""
        return self._get("EVENT_SOURCE")

    @property
    def service(self) -> str:
        """The function's name in logs and metrics."""
        return self._get("POWERTOOLS_SERVICE_NAME")

    @property
    def metrics_namespace(self) -> str:
        return self._get("METRICS_NAMESPACE")

    @property
    def age_target(self) -> timedelta:
        """The longest time from the storing of a live drop to its result."""
        return timedelta(seconds=int(self._get("AGE_TARGET_SECONDS")))

    @property
    def workers(self) -> int:
        """The maximum of both lanes together."""
        return int(self._get("WORKERS"))

    @property
    def min_live_workers(self) -> int:
        return int(self._get("MIN_LIVE_WORKERS"))

    @property
    def minute(self) -> timedelta:
        """The length of a maintenance minute; shorter in tests."""
        return timedelta(seconds=float(self._get("MINUTE_SECONDS")))

    @property
    def inventory(self) -> str:
        """The frequency of the S3 inventory of the photos bucket: Daily, Weekly, or "" for none."""
        return self._get("INVENTORY")

    @property
    def ops_topic_arn(self) -> str:
        return self._get("OPS_TOPIC_ARN")

    def lane_url(self, lane: str) -> str:
        return self._get(f"{lane.upper()}_QUEUE_URL")

    def lane_arn(self, lane: str) -> str:
        return self._get(f"{lane.upper()}_QUEUE_ARN")

    def dead_letters_url(self, function: str) -> str:
        return self._get(f"{function.upper()}_DEAD_LETTERS_URL")

    def lane_function(self, lane: str) -> str:
        """The name of the lane's Lambda function."""
        return self._get(f"{lane.upper()}_FUNCTION")

    @property
    def trainer_image(self) -> str:
        """The URI of the training container; empty if the deployment has none."""
        return self._get("TRAINER_IMAGE")

    @property
    def training_role(self) -> str:
        return self._get("TRAINING_ROLE")

    @property
    def training_spot(self) -> bool:
        return self._get("TRAINING_SPOT") == "true"

    @property
    def store_key(self) -> str:
        """The KMS key of the store bucket."""
        return self._get("STORE_KEY")

    @property
    def preload(self) -> tuple[str, ...]:
        """Models that are opened before the first event."""
        return tuple(self.variables.get("PRELOAD", "").split())

    def open_preloaded(self, open_model: Callable[[str], object]) -> None:
        """Open these models in the background, or at once for a snapshot that is taken when this returns."""
        for name in self.preload:
            if self.in_snapshot:
                open_model(name)
            else:
                Thread(target=open_model, args=(name,), daemon=True).start()

    @property
    def enrolment_model(self) -> str:
        """The model that people are enrolled with."""
        return self._get("ENROLMENT_MODEL")

    @property
    def store_reference_images(self) -> bool:
        """Whether reference images of enrolment photos are stored for later releases; only `enrol` has it."""
        return self.variables.get("STORE_REFERENCE_IMAGES") == "true"

    @property
    def memory_mb(self) -> int:
        return int(self._get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"))

    @property
    def on_lambda(self) -> bool:
        """Whether this process is a Lambda container."""
        return "AWS_LAMBDA_FUNCTION_NAME" in self.variables

    @property
    def in_snapshot(self) -> bool:
        """Whether other containers start from a snapshot of this one.

        https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
        """
        return self.variables.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start"

    @property
    def models_dir(self) -> Path:
        return Path(self._get("MODELS_DIR"))

    @property
    def retention(self) -> timedelta:
        return timedelta(days=int(self._get("RETENTION_DAYS")))

    @property
    def lease(self) -> timedelta:
        return timedelta(seconds=int(self._get("LEASE_SECONDS")))

    @property
    def audit_table(self) -> str:
        return self._get("AUDIT_TABLE")

    @property
    def callers_table(self) -> str:
        return self._get("CALLERS_TABLE")

    @property
    def mac_key(self) -> str:
        return self._get("MAC_KEY")

    @property
    def token_issuer(self) -> str:
        return self._get("TOKEN_ISSUER")

    @property
    def token_audience(self) -> str:
        return self._get("TOKEN_AUDIENCE")

    @property
    def jwks_url(self) -> str:
        return self._get("TOKEN_KEYS_URL")

    @property
    def role_claim(self) -> str:
        return self._get("ROLE_CLAIM")

    @property
    def sources_claim(self) -> str:
        return self._get("SOURCES_CLAIM")

    @property
    def galleries_claim(self) -> str:
        return self._get("GALLERIES_CLAIM")

    @property
    def enrol_function(self) -> str:
        return self._get("ENROL_FUNCTION")

    @property
    def erase_function(self) -> str:
        return self._get("ERASE_FUNCTION")

    @property
    def predict_function(self) -> str:
        return self._get("PREDICT_FUNCTION")

    @property
    def thumbnail_function(self) -> str:
        return self._get("THUMBNAIL_FUNCTION")

    @property
    def quarantine_function(self) -> str:
        return self._get("QUARANTINE_FUNCTION")

    @property
    def train_function(self) -> str:
        return self._get("TRAIN_FUNCTION")

    @property
    def reconcile_function(self) -> str:
        return self._get("RECONCILE_FUNCTION")

    @property
    def triage_function(self) -> str:
        return self._get("TRIAGE_FUNCTION")

    @property
    def backfill_function(self) -> str:
        return self._get("BACKFILL_FUNCTION")

    @property
    def cards_dir(self) -> Path:
        """The folder of model cards, without the models' graphs."""
        return Path(self._get("CARDS_DIR"))

    @property
    def cors_origin(self) -> str:
        """The one origin whose pages may call the API; empty if there is none."""
        return self._get("CORS_ORIGIN")

    @property
    def calls_per_minute(self) -> int:
        return int(self._get("CALLS_PER_MINUTE"))


def settings() -> Settings:
    """The settings of this process."""
    return Settings(os.environ)
