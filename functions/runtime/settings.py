"""The environment, read once into a frozen value; nothing else reads it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path


class MissingSetting(KeyError):
    """A variable that the template should have set is not there; the message is its name."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the template tells a function; a function that is not given a value must not ask for it."""

    variables: Mapping[str, str]

    def _get(self, name: str) -> str:
        if name not in self.variables:
            raise MissingSetting(f"{name}: set it on the function in infra/template.yaml")
        return self.variables[name]

    @property
    def records_table(self) -> str:
        return self._get("RECORDS_TABLE")

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
    def queue_url(self) -> str:
        return self._get("QUEUE_URL")

    @property
    def lane(self) -> str:
        return self._get("LANE")

    @property
    def event_source(self) -> str:
        """The deployment as a CloudEvents source, a URI reference."""
        return self._get("EVENT_SOURCE")

    @property
    def service(self) -> str:
        """What this function is called in logs and metrics."""
        return self._get("POWERTOOLS_SERVICE_NAME")

    @property
    def metrics_namespace(self) -> str:
        return self._get("METRICS_NAMESPACE")

    @property
    def age_target(self) -> timedelta:
        """From stored to answered, for live drops."""
        return timedelta(seconds=int(self._get("AGE_TARGET_SECONDS")))

    @property
    def workers(self) -> int:
        """Of both lanes together, at most."""
        return int(self._get("WORKERS"))

    @property
    def min_live_workers(self) -> int:
        return int(self._get("MIN_LIVE_WORKERS"))

    @property
    def minute(self) -> timedelta:
        """What those who mend take for a minute: shorter in drills."""
        return timedelta(seconds=float(self._get("MINUTE_SECONDS")))

    @property
    def inventory(self) -> str:
        """How often S3 takes an inventory of the photos bucket: Daily, Weekly, or "" for never."""
        return self._get("INVENTORY")

    @property
    def ops_topic_arn(self) -> str:
        return self._get("OPS_TOPIC_ARN")

    @property
    def publish_dead_letters_url(self) -> str:
        return self._get("PUBLISH_DEAD_LETTERS_URL")

    def lane_url(self, lane: str) -> str:
        return self._get(f"{lane.upper()}_QUEUE_URL")

    def lane_arn(self, lane: str) -> str:
        return self._get(f"{lane.upper()}_QUEUE_ARN")

    def dead_letters_url(self, lane: str) -> str:
        return self._get(f"{lane.upper()}_DEAD_LETTERS_URL")

    def lane_function(self, lane: str) -> str:
        """The name of the lane's Lambda function."""
        return self._get(f"{lane.upper()}_FUNCTION")

    @property
    def trainer_image(self) -> str:
        """The container that trains; empty where nothing is to be trained."""
        return self._get("TRAINER_IMAGE")

    @property
    def training_role(self) -> str:
        return self._get("TRAINING_ROLE")

    @property
    def training_spot(self) -> bool:
        return self._get("TRAINING_SPOT") == "true"

    @property
    def store_key(self) -> str:
        """The key that the store is encrypted with."""
        return self._get("STORE_KEY")

    @property
    def preload(self) -> tuple[str, ...]:
        """Models to open before the first event asks for them."""
        return tuple(self.variables.get("PRELOAD", "").split())

    @property
    def enrolment_model(self) -> str:
        """The model whose outputs are kept, to compare others with: a new release of it needs them anew."""
        return self._get("ENROLMENT_MODEL")

    @property
    def store_reference_images(self) -> bool:
        """Whether the part of an enrolment photo that shows the face is kept, for later releases."""
        return self._get("STORE_REFERENCE_IMAGES") == "true"

    @property
    def memory_mb(self) -> int:
        """Of this function, as Lambda says it."""
        return int(self._get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"))

    @property
    def on_lambda(self) -> bool:
        """Whether this process is a Lambda container."""
        return "AWS_LAMBDA_FUNCTION_NAME" in self.variables

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
    def backfill_function(self) -> str:
        return self._get("BACKFILL_FUNCTION")

    @property
    def cards_dir(self) -> Path:
        """Where the cards of the models lie, without their graphs."""
        return Path(self._get("CARDS_DIR"))

    @property
    def cors_origin(self) -> str:
        """The one other origin whose pages may call the API; empty where none may."""
        return self._get("CORS_ORIGIN")

    @property
    def calls_per_minute(self) -> int:
        return int(self._get("CALLS_PER_MINUTE"))


def settings() -> Settings:
    """This process's settings."""
    return Settings(os.environ)
