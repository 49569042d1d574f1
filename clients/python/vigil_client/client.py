"""The API's operations as methods; the shapes of answers are generated from its own description."""

import mimetypes
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from vigil_client.transport import Token, Transport
from vigil_client.types import (
    AlertOut,
    BatchAccepted,
    DeadLetterList,
    DeadLetterOut,
    DeadLettersProcessed,
    DropOut,
    DryRunResult,
    EnrolledPhoto,
    LabelOut,
    ModelDetails,
    ModelList,
    ModelOut,
    PersonOut,
    PersonRef,
    PredictionOut,
    ReviewResult,
    RulesOut,
    SearchHitList,
    SearchHitOut,
    SightingOut,
    SignedReceipt,
    StagesChanged,
    SubscriptionList,
    SubscriptionOut,
    SystemStatus,
    TrainingAccepted,
    TrainingList,
    TrainingOut,
    UploadForm,
    UploadStatus,
)

ReviewDecision = Literal["confirm", "dismiss", "not-this-person"]
Lane = Literal["live", "bulk"]


class Vigil:
    """One deployment's API, for one token.

    url        as `./vigil up` and the stack's outputs tell it: it ends in the stage
    timeout_s  of one answer; long polls stay below it
    retries    of one request, on failures that may pass
    """

    def __init__(self, url: str, token: Token, *, timeout_s: float = 30.0, retries: int = 3) -> None:
        self._transport = Transport(url, token, timeout_s=timeout_s, retries=retries)

    def drop_photo(
        self, photo: Path | str, *, source: str, lane: Lane = "live", model: str = "faces"
    ) -> DropOut:
        """Upload a photo and wait until it has its end: at most 40 seconds."""
        file = Path(photo)
        request = {"source": source, "lane": lane, "model": model, "suffix": file.suffix.lower()}
        form: UploadForm = self._transport.request_json("POST", "/v1/uploads", body=request)
        self._transport.post_form(
            form["url"], form["fields"], (file.name, file.read_bytes(), _media_type(file))
        )
        uploaded: UploadStatus = self._transport.request_json(
            "GET", f"/v1/uploads/{form['id']}", query={"wait": 20}
        )
        if "drop" not in uploaded:
            raise TimeoutError(f"{file.name} was uploaded, and no drop has come of it yet")
        return self.get_drop(uploaded["drop"], wait_s=20)

    def get_drop(self, drop: str, *, wait_s: int = 0) -> DropOut:
        answer: DropOut = self._transport.request_json("GET", f"/v1/drops/{drop}", query={"wait": wait_s})
        return answer

    def get_thumbnail(self, link: str) -> bytes:
        """The small JPEG behind a `thumbnail_url`, while the link is good. Raises NotFound."""
        return self._transport.get_image(link)

    def list_drops(self, **filters: Any) -> Iterator[DropOut]:
        """All that fit, newest first; pages are fetched as they are needed."""
        return self._iterate_pages("/v1/drops", filters)

    def label_drop(self, drop: str, label: str) -> LabelOut:
        """What a drop shows, for the next data set."""
        answer: LabelOut = self._transport.request_json(
            "PUT", f"/v1/drops/{drop}/label", body={"label": label}
        )
        return answer

    def list_sightings(self, **filters: Any) -> Iterator[SightingOut]:
        return self._iterate_pages("/v1/sightings", filters)

    def search_sightings(self, photo: Path | str) -> list[SearchHitOut]:
        """Strangers who look like the one face in a photo, of sources that remember them."""
        file = Path(photo)
        answer: SearchHitList = self._transport.request_json(
            "POST", "/v1/sightings/search", body=file.read_bytes(), media=_media_type(file)
        )
        return answer["items"]

    def list_alerts(self, **filters: Any) -> Iterator[AlertOut]:
        return self._iterate_pages("/v1/alerts", filters)

    def get_alert(self, alert: str) -> AlertOut:
        answer: AlertOut = self._transport.request_json("GET", f"/v1/alerts/{alert}")
        return answer

    def review_alert(self, alert: str, decision: ReviewDecision) -> ReviewResult:
        answer: ReviewResult = self._transport.request_json(
            "POST", f"/v1/alerts/{alert}/reviews", body={"decision": decision}
        )
        return answer

    def get_rules(self) -> RulesOut:
        answer: RulesOut = self._transport.request_json("GET", "/v1/rules")
        return answer

    def replace_rules(self, toml: str, *, version: str | None = None) -> RulesOut:
        body = {"toml": toml} | ({"version": version} if version else {})
        answer: RulesOut = self._transport.request_json("PUT", "/v1/rules", body=body)
        return answer

    def dry_run_rules(self, toml: str, *, hours: int = 24) -> DryRunResult:
        answer: DryRunResult = self._transport.request_json(
            "POST", "/v1/rules/dry-run", body={"toml": toml, "hours": hours}
        )
        return answer

    def create_person(self, name: str, *, tags: Sequence[str] = ()) -> str:
        """The new person's id."""
        answer: PersonRef = self._transport.request_json(
            "POST", "/v1/people", body={"name": name, "tags": [*tags]}
        )
        return answer["id"]

    def list_people(self, **filters: Any) -> Iterator[PersonOut]:
        return self._iterate_pages("/v1/people", filters)

    def get_person(self, person: str) -> PersonOut:
        answer: PersonOut = self._transport.request_json("GET", f"/v1/people/{person}")
        return answer

    def enrol_photo(self, person: str, photo: Path | str) -> EnrolledPhoto:
        """Raises Refused with the reason, and the place in the picture."""
        file = Path(photo)
        answer: EnrolledPhoto = self._transport.request_json(
            "POST", f"/v1/people/{person}/photos", body=file.read_bytes(), media=_media_type(file)
        )
        return answer

    def rename_person(self, person: str, name: str) -> None:
        self._transport.request_json("PATCH", f"/v1/people/{person}", body={"name": name})

    def watch_person(self, person: str) -> None:
        self._transport.request_json("PUT", f"/v1/people/{person}/watch")

    def unwatch_person(self, person: str) -> None:
        self._transport.request_json("DELETE", f"/v1/people/{person}/watch")

    def give_consent(self, person: str) -> None:
        """They agree that models learn from their pictures."""
        self._transport.request_json("PUT", f"/v1/people/{person}/consent")

    def withdraw_consent(self, person: str) -> None:
        self._transport.request_json("DELETE", f"/v1/people/{person}/consent")

    def erase_person(self, person: str) -> SignedReceipt:
        """Keep the receipt: `./vigil erasure verify` proves it."""
        answer: SignedReceipt = self._transport.request_json("DELETE", f"/v1/people/{person}")
        return answer

    def predict(self, photo: Path | str, *, model: str = "faces") -> PredictionOut:
        """What a model sees, now; nothing is stored."""
        file = Path(photo)
        answer: PredictionOut = self._transport.request_json(
            "POST", f"/v1/predict/{model}", body=file.read_bytes(), media=_media_type(file)
        )
        return answer

    def predict_batch(self, keys: Sequence[str], *, source: str, model: str = "faces") -> tuple[str, ...]:
        """The drops that objects of the photos bucket are going to be."""
        body = {"source": source, "objects": [{"key": key} for key in keys]}
        answer: BatchAccepted = self._transport.request_json("POST", f"/v1/predict/{model}/batch", body=body)
        return tuple(answer["drops"])

    def get_status(self) -> SystemStatus:
        answer: SystemStatus = self._transport.request_json("GET", "/v1/status")
        return answer

    def list_dead_letters(self, lane: Lane, *, limit: int = 10) -> list[DeadLetterOut]:
        answer: DeadLetterList = self._transport.request_json(
            "GET", f"/v1/lanes/{lane}/dead-letters", query={"limit": limit}
        )
        return answer["items"]

    def redrive_dead_letters(
        self, lane: Lane, message_ids: Sequence[str] = (), *, reason: str = "by hand"
    ) -> int:
        return self._process_dead_letters(lane, "redrive", message_ids, reason)

    def quarantine_dead_letters(
        self, lane: Lane, message_ids: Sequence[str] = (), *, reason: str = "by hand"
    ) -> int:
        return self._process_dead_letters(lane, "quarantine", message_ids, reason)

    def pause_lane(self, lane: Lane) -> None:
        self._transport.request_json("POST", f"/v1/lanes/{lane}/pause")

    def resume_lane(self, lane: Lane) -> None:
        self._transport.request_json("POST", f"/v1/lanes/{lane}/resume")

    def list_models(self) -> list[ModelOut]:
        answer: ModelList = self._transport.request_json("GET", "/v1/models")
        return answer["items"]

    def get_model(self, model: str) -> ModelDetails:
        """One model with its card and every release on record."""
        answer: ModelDetails = self._transport.request_json("GET", f"/v1/models/{model}")
        return answer

    def roll_back_model(self, model: str, *, reason: str) -> StagesChanged:
        answer: StagesChanged = self._transport.request_json(
            "POST", f"/v1/models/{model}/rollback", body={"reason": reason}
        )
        return answer

    def promote_release(self, model: str, release: str, *, reason: str) -> StagesChanged:
        return self._decide_release(model, release, "promote", reason)

    def reject_release(self, model: str, release: str, *, reason: str) -> StagesChanged:
        return self._decide_release(model, release, "reject", reason)

    def start_training(self, model: str, *, recipe: str | None = None) -> TrainingAccepted:
        """A job for what is labelled now; asked for again, it is the same job."""
        body = {"recipe": recipe} if recipe else {}
        answer: TrainingAccepted = self._transport.request_json(
            "POST", f"/v1/models/{model}/trainings", body=body
        )
        return answer

    def list_trainings(self, model: str) -> list[TrainingOut]:
        answer: TrainingList = self._transport.request_json("GET", f"/v1/models/{model}/trainings")
        return answer["items"]

    def subscribe(self, url: str, **filters: Any) -> SubscriptionOut:
        """Have an HTTPS endpoint told; it must confirm, as SNS asks it to."""
        answer: SubscriptionOut = self._transport.request_json(
            "POST", "/v1/subscriptions", body={"url": url, **filters}
        )
        return answer

    def _decide_release(self, model: str, release: str, action: str, reason: str) -> StagesChanged:
        answer: StagesChanged = self._transport.request_json(
            "POST", f"/v1/models/{model}/releases/{release}/{action}", body={"reason": reason}
        )
        return answer

    def list_subscriptions(self) -> list[SubscriptionOut]:
        """Your own; everybody's, for an admin."""
        answer: SubscriptionList = self._transport.request_json("GET", "/v1/subscriptions")
        return answer["items"]

    def unsubscribe(self, subscription: str) -> None:
        self._transport.request_json("DELETE", f"/v1/subscriptions/{subscription}")

    def _process_dead_letters(self, lane: Lane, action: str, message_ids: Sequence[str], reason: str) -> int:
        body = {"ids": [*message_ids], "reason": reason}
        answer: DeadLettersProcessed = self._transport.request_json(
            "POST", f"/v1/lanes/{lane}/dead-letters/{action}", body=body
        )
        return answer["processed"]

    def _iterate_pages(self, path: str, filters: dict[str, Any]) -> Iterator[Any]:
        query = dict(filters)
        while True:
            page = self._transport.request_json("GET", path, query=query)
            yield from page["items"]
            if "next" not in page:
                return
            query["cursor"] = page["next"]


def _media_type(file: Path) -> str:
    return mimetypes.guess_type(file.name)[0] or "application/octet-stream"
