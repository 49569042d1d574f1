"""The API's operations as methods; the types of their results are generated from the OpenAPI document."""

import base64
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from vigil_client.transport import OnProgress, Token, Transport
from vigil_client.types import (
    AlarmList,
    AlarmOut,
    AlertOut,
    AuditEntryOut,
    AuditVerification,
    BackfillResult,
    BatchAccepted,
    CameraList,
    CameraOut,
    DeadLetterDetails,
    DeadLetterList,
    DeadLetterOut,
    DeadLettersProcessed,
    DropOut,
    DryRunResult,
    EnrolledPhoto,
    ErasureOut,
    FaceCandidateList,
    FaceCandidateOut,
    FaceComparison,
    LabelOut,
    ModelDetails,
    ModelList,
    ModelOut,
    ModelReleasesOut,
    PersonOut,
    PersonPhotoList,
    PersonRef,
    PredictionOut,
    ReconcileRun,
    ReconcileStatus,
    ReleaseList,
    ReviewResult,
    RulesHistory,
    RulesHistoryEntry,
    RulesOut,
    SearchHitList,
    SearchHitOut,
    SightingOut,
    StagesChanged,
    SubscriptionList,
    SubscriptionOut,
    SystemStatus,
    TaskStarted,
    TrainingAccepted,
    TrainingList,
    TrainingOut,
    TriageRun,
    TriageStatus,
    UploadForm,
    UploadStatus,
)

ReviewDecision = Literal["confirm", "dismiss", "not-this-person"]
Lane = Literal["live", "bulk"]
ANY_FILE = "application/octet-stream"
"""Media type of every upload: the content decides what a file is, not the ending of its name."""


class Vigil:
    """Client of one deployment's API. Every method raises Problem for an error response.

    url        the stack output EndpointURL; `./vigil up` prints it
    timeout_s  time to wait for a response; `wait` of long polls must be below it
    retries    maximum number of retries after temporary failures
    """

    def __init__(self, url: str, token: Token, *, timeout_s: float = 30.0, retries: int = 3) -> None:
        self._transport = Transport(url, token, timeout_s=timeout_s, retries=retries)

    def drop_photo(
        self, photo: Path | str, *, source: str, lane: Lane = "live", model: str = "faces"
    ) -> DropOut:
        """Upload a photo and wait up to 40 seconds for the end of its drop.

        Raises TimeoutError if there is no drop after 20 seconds.
        """
        upload = self.upload_photo(photo, source=source, lane=lane, model=model)
        uploaded = self.get_upload(upload, wait_s=20)
        if "drop" not in uploaded or "state" not in uploaded:
            raise TimeoutError(f"{photo} was uploaded, but is not processed after 20 seconds")
        return self.get_drop(uploaded["drop"], wait_s=20)

    def upload_photo(
        self,
        photo: Path | str,
        *,
        source: str,
        lane: Lane = "live",
        model: str = "faces",
        on_progress: OnProgress = lambda _: None,
    ) -> str:
        """Upload a photo into a lane, or a clip with the model `clips`; the id is for `get_upload`.

        on_progress  is called with the number of bytes that are sent so far
        """
        file = Path(photo)
        request = {"source": source, "lane": lane, "model": model, "suffix": _suffix(file)}
        form = self._transport.request(UploadForm, "POST", "/v1/uploads", body=request)
        self._transport.post_form(form["url"], form["fields"], file, ANY_FILE, on_progress)
        return form["id"]

    def get_upload(self, upload: str, *, wait_s: int = 0) -> UploadStatus:
        """The drop of an upload; waits up to 20 seconds until it has ended."""
        return self._transport.request(UploadStatus, "GET", f"/v1/uploads/{upload}", query={"wait": wait_s})

    def get_drop(self, drop: str, *, wait_s: int = 0) -> DropOut:
        return self._transport.request(DropOut, "GET", f"/v1/drops/{drop}", query={"wait": wait_s})

    def get_thumbnail(self, link: str) -> bytes:
        """The JPEG behind a `thumbnail_url`. Raises NotFound after its expiry."""
        return self._transport.get_image(link)

    def list_drops(self, **filters: Any) -> Iterator[DropOut]:
        """Drops, newest first. This and all other lists fetch further pages when they are needed."""
        return self._iterate_pages("/v1/drops", filters)

    def label_drop(self, drop: str, label: str) -> LabelOut:
        return self._transport.request(LabelOut, "PUT", f"/v1/drops/{drop}/label", body={"label": label})

    def list_sightings(self, **filters: Any) -> Iterator[SightingOut]:
        return self._iterate_pages("/v1/sightings", filters)

    def search_sightings(self, photo: Path | str) -> list[SearchHitOut]:
        """Unknown people similar to the one face in a photo, from sources that store unknown faces."""
        file = Path(photo)
        return self._transport.request(
            SearchHitList, "POST", "/v1/sightings/search", body=file.read_bytes(), media=ANY_FILE
        )["items"]

    def list_alerts(self, **filters: Any) -> Iterator[AlertOut]:
        return self._iterate_pages("/v1/alerts", filters)

    def get_alert(self, alert: str) -> AlertOut:
        return self._transport.request(AlertOut, "GET", f"/v1/alerts/{alert}")

    def review_alert(self, alert: str, decision: ReviewDecision) -> ReviewResult:
        return self._transport.request(
            ReviewResult, "POST", f"/v1/alerts/{alert}/reviews", body={"decision": decision}
        )

    def get_rules(self) -> RulesOut:
        return self._transport.request(RulesOut, "GET", "/v1/rules")

    def list_rules_history(self, *, limit: int = 10) -> list[RulesHistoryEntry]:
        """Rules that were put into force, newest first."""
        return self._transport.request(RulesHistory, "GET", "/v1/rules/history", query={"limit": limit})[
            "items"
        ]

    def replace_rules(self, toml: str, *, version: str | None = None) -> RulesOut:
        body = {"toml": toml} | ({"version": version} if version else {})
        return self._transport.request(RulesOut, "PUT", "/v1/rules", body=body)

    def dry_run_rules(self, toml: str, *, hours: int = 24) -> DryRunResult:
        return self._transport.request(
            DryRunResult, "POST", "/v1/rules/dry-run", body={"toml": toml, "hours": hours}
        )

    def create_person(self, name: str, *, tags: Sequence[str] = (), gallery: str = "default") -> str:
        """Create a person in a gallery and return the id."""
        body = {"name": name, "tags": [*tags], "gallery": gallery}
        return self._transport.request(PersonRef, "POST", "/v1/people", body=body)["id"]

    def list_people(self, **filters: Any) -> Iterator[PersonOut]:
        return self._iterate_pages("/v1/people", filters)

    def get_person(self, person: str) -> PersonOut:
        return self._transport.request(PersonOut, "GET", f"/v1/people/{person}")

    def enrol_photo(self, person: str, photo: Path | str) -> EnrolledPhoto:
        """Raises UnprocessableContent if the photo is rejected, with the reason and `boxes_px`."""
        file = Path(photo)
        return self._transport.request(
            EnrolledPhoto,
            "POST",
            f"/v1/people/{person}/photos",
            body=file.read_bytes(),
            media=ANY_FILE,
        )

    def list_person_photos(self, person: str) -> PersonPhotoList:
        return self._transport.request(PersonPhotoList, "GET", f"/v1/people/{person}/photos")

    def delete_person_photo(self, person: str, photo: str) -> None:
        """Delete an enrolled photo: faces are no longer compared with it."""
        self._transport.send("DELETE", f"/v1/people/{person}/photos/{photo}")

    def rename_person(self, person: str, name: str) -> None:
        self._transport.send("PATCH", f"/v1/people/{person}", body={"name": name})

    def watch_person(self, person: str) -> None:
        self._transport.send("PUT", f"/v1/people/{person}/watch")

    def unwatch_person(self, person: str) -> None:
        self._transport.send("DELETE", f"/v1/people/{person}/watch")

    def end_person_review(self, person: str) -> None:
        """Remove the tag `review`, after the person's photos were checked."""
        self._transport.send("DELETE", f"/v1/people/{person}/review")

    def give_consent(self, person: str) -> None:
        self._transport.send("PUT", f"/v1/people/{person}/consent")

    def withdraw_consent(self, person: str) -> None:
        self._transport.send("DELETE", f"/v1/people/{person}/consent")

    def erase_person(self, person: str) -> ErasureOut:
        """Begin or continue the erasure of a person; at its end the answer has a signed receipt."""
        return self._transport.request(ErasureOut, "DELETE", f"/v1/people/{person}")

    def get_erasure(self, person: str) -> ErasureOut:
        """How far the erasure of a person is."""
        return self._transport.request(ErasureOut, "GET", f"/v1/people/{person}/erasure")

    def predict(
        self, photo: Path | str, *, model: str = "faces", galleries: Sequence[str] = ("default",)
    ) -> PredictionOut:
        """Run a model on a photo without storing anything; faces are compared with these galleries."""
        body = {"image": _encode(photo), "galleries": [*galleries]}
        return self._transport.request(PredictionOut, "POST", f"/v1/predict/{model}", body=body)

    def compare_faces(self, photo: Path | str, other: Path | str) -> FaceComparison:
        """Compare the largest face of a photo with each face of another one."""
        body = {"image": _encode(photo), "other_image": _encode(other)}
        return self._transport.request(FaceComparison, "POST", "/v1/faces/compare", body=body)

    def list_candidates(
        self, photo: Path | str, *, gallery: str = "default", limit: int = 5
    ) -> Sequence[FaceCandidateOut]:
        """The people to whom the largest face of a photo is most similar, known or not."""
        body = {"image": _encode(photo), "gallery": gallery, "limit": limit}
        return self._transport.request(FaceCandidateList, "POST", "/v1/faces/candidates", body=body)["items"]

    def predict_batch(self, keys: Sequence[str], *, source: str, model: str = "faces") -> tuple[str, ...]:
        """Process objects of the photos bucket on the bulk lane; returns the ids of their drops."""
        body = {"source": source, "objects": [{"key": key} for key in keys]}
        return tuple(
            self._transport.request(BatchAccepted, "POST", f"/v1/predict/{model}/batch", body=body)["drops"]
        )

    def list_alarms(self) -> list[AlarmOut]:
        """The alarms that notify operators; those in the state ALARM come first."""
        return self._transport.request(AlarmList, "GET", "/v1/alarms")["items"]

    def list_audit_entries(self, **filters: Any) -> Iterator[AuditEntryOut]:
        """The audit log, newest entry first; pages are fetched as they are needed."""
        return self._iterate_pages("/v1/audit", filters)

    def verify_audit_log(self, *, chain: int | None = None, cursor: str | None = None) -> AuditVerification:
        """Verify one chain of the audit log, or all, against their hashes and the newest checkpoints.

        cursor  `next` of the previous answer: compare with older checkpoints
        """
        query = {"chain": chain, "cursor": cursor}
        query = {name: value for name, value in query.items() if value is not None}
        return self._transport.request(AuditVerification, "GET", "/v1/audit/verification", query=query)

    def report_camera(
        self, source: str, *, state: str = "running", frame_age_s: float | None = None, queued: int = 0
    ) -> CameraOut:
        """Report that the camera of a source works, or was stopped on purpose."""
        body = {"state": state, "queued": queued} | (
            {} if frame_age_s is None else {"frame_age_s": frame_age_s}
        )
        return self._transport.request(CameraOut, "PUT", f"/v1/cameras/{source}", body=body)

    def list_cameras(self) -> list[CameraOut]:
        return self._transport.request(CameraList, "GET", "/v1/cameras")["items"]

    def get_status(self) -> SystemStatus:
        return self._transport.request(SystemStatus, "GET", "/v1/status")

    def get_reconcile(self) -> ReconcileStatus:
        """Completeness of the last comparison of the bucket with the ledger."""
        return self._transport.request(ReconcileStatus, "GET", "/v1/reconcile")

    def start_reconcile(self) -> str:
        """Start a reconcile run and return its id for `get_reconcile_run`."""
        return self._transport.request(TaskStarted, "POST", "/v1/reconcile")["run"]

    def get_reconcile_run(self, run: str) -> ReconcileRun:
        return self._transport.request(ReconcileRun, "GET", f"/v1/reconcile/runs/{run}")

    def start_triage(self) -> str:
        """Start a run of triage and return its id for `get_triage_run`."""
        return self._transport.request(TaskStarted, "POST", "/v1/triage")["run"]

    def get_triage_run(self, run: str) -> TriageRun:
        return self._transport.request(TriageRun, "GET", f"/v1/triage/runs/{run}")

    def get_triage(self) -> TriageStatus:
        """The faults that triage has found in dead letters."""
        return self._transport.request(TriageStatus, "GET", "/v1/triage")

    def list_dead_letters(self, lane: Lane, *, limit: int = 10) -> list[DeadLetterOut]:
        return self._transport.request(
            DeadLetterList, "GET", f"/v1/lanes/{lane}/dead-letters", query={"limit": limit}
        )["items"]

    def get_dead_letter(self, lane: Lane, message_id: str) -> DeadLetterDetails:
        """A dead letter with its body."""
        path = f"/v1/lanes/{lane}/dead-letters/{message_id}"
        return self._transport.request(DeadLetterDetails, "GET", path)

    def redrive_dead_letters(
        self, lane: Lane, message_ids: Sequence[str] = (), *, reason: str = "by hand"
    ) -> int:
        return self._process_dead_letters(lane, "redrive", message_ids, reason)

    def quarantine_dead_letters(
        self, lane: Lane, message_ids: Sequence[str] = (), *, reason: str = "by hand"
    ) -> int:
        return self._process_dead_letters(lane, "quarantine", message_ids, reason)

    def pause_lane(self, lane: Lane) -> None:
        self._transport.send("POST", f"/v1/lanes/{lane}/pause")

    def resume_lane(self, lane: Lane) -> None:
        self._transport.send("POST", f"/v1/lanes/{lane}/resume")

    def backfill(self, model: str, *, cursor: str = "") -> BackfillResult:
        """Announce the next part of the stored objects to a model; repeat until the cursor is empty."""
        body = {"model": model} | ({"cursor": cursor} if cursor else {})
        return self._transport.request(BackfillResult, "POST", "/v1/backfill", body=body)

    def list_models(self) -> list[ModelOut]:
        return self._transport.request(ModelList, "GET", "/v1/models")["items"]

    def get_model(self, model: str) -> ModelDetails:
        return self._transport.request(ModelDetails, "GET", f"/v1/models/{model}")

    def list_releases(self) -> list[ModelReleasesOut]:
        """The releases of all models, with the release that is active."""
        return self._transport.request(ReleaseList, "GET", "/v1/releases")["items"]

    def list_all_trainings(self) -> list[TrainingOut]:
        """Training jobs of all models, newest first."""
        return self._transport.request(TrainingList, "GET", "/v1/trainings")["items"]

    def roll_back_model(self, model: str, *, reason: str) -> StagesChanged:
        return self._transport.request(
            StagesChanged, "POST", f"/v1/models/{model}/rollback", body={"reason": reason}
        )

    def promote_release(self, model: str, release: str, *, reason: str) -> StagesChanged:
        return self._decide_release(model, release, "promote", reason)

    def reject_release(self, model: str, release: str, *, reason: str) -> StagesChanged:
        return self._decide_release(model, release, "reject", reason)

    def start_training(self, model: str, *, recipe: str | None = None) -> TrainingAccepted:
        """Start a training job on the current labels; a repetition returns the same job."""
        body = {"recipe": recipe} if recipe else {}
        return self._transport.request(TrainingAccepted, "POST", f"/v1/models/{model}/trainings", body=body)

    def list_trainings(self, model: str) -> list[TrainingOut]:
        return self._transport.request(TrainingList, "GET", f"/v1/models/{model}/trainings")["items"]

    def subscribe(self, url: str, **filters: Any) -> SubscriptionOut:
        """Subscribe an HTTPS endpoint, which must confirm the subscription."""
        return self._transport.request(
            SubscriptionOut, "POST", "/v1/subscriptions", body={"url": url, **filters}
        )

    def _decide_release(self, model: str, release: str, action: str, reason: str) -> StagesChanged:
        return self._transport.request(
            StagesChanged, "POST", f"/v1/models/{model}/releases/{release}/{action}", body={"reason": reason}
        )

    def list_subscriptions(self) -> list[SubscriptionOut]:
        """The caller's subscriptions; for an admin all confirmed ones too."""
        return self._transport.request(SubscriptionList, "GET", "/v1/subscriptions")["items"]

    def unsubscribe(self, subscription: str) -> None:
        self._transport.send("DELETE", f"/v1/subscriptions/{subscription}")

    def _process_dead_letters(self, lane: Lane, action: str, message_ids: Sequence[str], reason: str) -> int:
        body = {"ids": [*message_ids], "reason": reason}
        return self._transport.request(
            DeadLettersProcessed, "POST", f"/v1/lanes/{lane}/dead-letters/{action}", body=body
        )["processed"]

    def _iterate_pages(self, path: str, filters: dict[str, Any]) -> Iterator[Any]:
        query = dict(filters)
        while True:
            page = self._transport.send("GET", path, query=query)
            yield from page["items"]
            if "next" not in page:
                return
            query["cursor"] = page["next"]


def _suffix(file: Path) -> str:
    """The ending of the file's name in the form that an upload declares; "" for any other."""
    return found.group().lower() if (found := re.search(r"\.[A-Za-z0-9]{1,8}$", file.name)) else ""


def _encode(photo: Path | str) -> str:
    return base64.b64encode(Path(photo).read_bytes()).decode()
