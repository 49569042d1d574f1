"""The API's operations as methods; the shapes of answers are generated from its own description."""

import mimetypes
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from vigil_client import shapes
from vigil_client.wire import Token, Wire

Verdict = Literal["confirm", "dismiss", "not-this-person"]
Lane = Literal["live", "bulk"]


class Vigil:
    """One deployment's API, for one token.

    url        as `./vigil up` and the stack's outputs tell it: it ends in the stage
    timeout_s  of one answer; long polls stay below it
    retries    of one request, on failures that may pass
    """

    def __init__(self, url: str, token: Token, *, timeout_s: float = 30.0, retries: int = 3) -> None:
        self._wire = Wire(url, token, timeout_s=timeout_s, retries=retries)

    def drop_photo(
        self, photo: Path | str, *, source: str, lane: Lane = "live", model: str = "faces"
    ) -> shapes.Drop:
        """Upload a photo and wait until it has its end: at most 40 seconds."""
        file = Path(photo)
        wanted = {"source": source, "lane": lane, "model": model, "suffix": file.suffix.lower()}
        form: shapes.Upload = self._wire.ask("POST", "/v1/uploads", body=wanted)
        self._wire.post_form(form["url"], form["fields"], (file.name, file.read_bytes(), _media(file)))
        uploaded: shapes.Uploaded = self._wire.ask("GET", f"/v1/uploads/{form['upload']}", query={"wait": 20})
        if "drop" not in uploaded:
            raise TimeoutError(f"{file.name} was uploaded, and no drop has come of it yet")
        return self.drop(uploaded["drop"], wait_s=20)

    def drop(self, drop: str, *, wait_s: int = 0) -> shapes.Drop:
        answer: shapes.Drop = self._wire.ask("GET", f"/v1/drops/{drop}", query={"wait": wait_s})
        return answer

    def thumbnail(self, link: str) -> bytes:
        """The small JPEG behind a `thumbnail_url`, while the link is good. Raises NotFound."""
        return self._wire.picture(link)

    def drops(self, **filters: Any) -> Iterator[shapes.Drop]:
        """All that fit, newest first; pages are fetched as they are needed."""
        return self._pages("/v1/drops", filters)

    def label(self, drop: str, label: str) -> shapes.Labelled:
        """What a drop shows, for the next data set."""
        answer: shapes.Labelled = self._wire.ask("PUT", f"/v1/drops/{drop}/label", body={"label": label})
        return answer

    def sightings(self, **filters: Any) -> Iterator[shapes.Sighting]:
        return self._pages("/v1/sightings", filters)

    def search(self, photo: Path | str) -> list[shapes.Likeness]:
        """Strangers who look like the one face in a photo, of sources that remember them."""
        file = Path(photo)
        answer: shapes.Likenesses = self._wire.ask(
            "POST", "/v1/sightings/search", body=file.read_bytes(), media=_media(file)
        )
        return answer["items"]

    def alerts(self, **filters: Any) -> Iterator[shapes.Alert]:
        return self._pages("/v1/alerts", filters)

    def alert(self, alert: str) -> shapes.Alert:
        answer: shapes.Alert = self._wire.ask("GET", f"/v1/alerts/{alert}")
        return answer

    def review(self, alert: str, verdict: Verdict) -> shapes.Reviewed:
        answer: shapes.Reviewed = self._wire.ask(
            "POST", f"/v1/alerts/{alert}/reviews", body={"verdict": verdict}
        )
        return answer

    def rules(self) -> shapes.Rules:
        answer: shapes.Rules = self._wire.ask("GET", "/v1/rules")
        return answer

    def replace_rules(self, toml: str, *, version: str | None = None) -> shapes.Rules:
        body = {"toml": toml} | ({"version": version} if version else {})
        answer: shapes.Rules = self._wire.ask("PUT", "/v1/rules", body=body)
        return answer

    def try_rules(self, toml: str, *, hours: int = 24) -> shapes.DryRun:
        answer: shapes.DryRun = self._wire.ask(
            "POST", "/v1/rules/dry-run", body={"toml": toml, "hours": hours}
        )
        return answer

    def create_person(self, name: str, *, tags: Sequence[str] = ()) -> str:
        """The new person's id."""
        answer: shapes.PersonId = self._wire.ask("POST", "/v1/people", body={"name": name, "tags": [*tags]})
        return answer["person"]

    def people(self, **filters: Any) -> Iterator[shapes.Person]:
        return self._pages("/v1/people", filters)

    def person(self, person: str) -> shapes.Person:
        answer: shapes.Person = self._wire.ask("GET", f"/v1/people/{person}")
        return answer

    def enrol(self, person: str, photo: Path | str) -> shapes.Taken:
        """Raises Refused with the reason, and the place in the picture."""
        file = Path(photo)
        answer: shapes.Taken = self._wire.ask(
            "POST", f"/v1/people/{person}/photos", body=file.read_bytes(), media=_media(file)
        )
        return answer

    def rename(self, person: str, name: str) -> None:
        self._wire.ask("PATCH", f"/v1/people/{person}", body={"name": name})

    def watch(self, person: str) -> None:
        self._wire.ask("PUT", f"/v1/people/{person}/watch")

    def unwatch(self, person: str) -> None:
        self._wire.ask("DELETE", f"/v1/people/{person}/watch")

    def consent(self, person: str) -> None:
        """They agree that models learn from their pictures."""
        self._wire.ask("PUT", f"/v1/people/{person}/consent")

    def withdraw_consent(self, person: str) -> None:
        self._wire.ask("DELETE", f"/v1/people/{person}/consent")

    def erase(self, person: str) -> shapes.SealedReceipt:
        """Keep the receipt: `./vigil erasure verify` proves it."""
        answer: shapes.SealedReceipt = self._wire.ask("DELETE", f"/v1/people/{person}")
        return answer

    def predict(self, photo: Path | str, *, model: str = "faces") -> shapes.Prediction:
        """What a model sees, now; nothing is stored."""
        file = Path(photo)
        answer: shapes.Prediction = self._wire.ask(
            "POST", f"/v1/predict/{model}", body=file.read_bytes(), media=_media(file)
        )
        return answer

    def predict_batch(self, keys: Sequence[str], *, source: str, model: str = "faces") -> tuple[str, ...]:
        """The drops that objects of the photos bucket are going to be."""
        body = {"source": source, "objects": [{"key": key} for key in keys]}
        answer: shapes.Queued = self._wire.ask("POST", f"/v1/predict/{model}/batch", body=body)
        return tuple(answer["drops"])

    def status(self) -> shapes.Status:
        answer: shapes.Status = self._wire.ask("GET", "/v1/status")
        return answer

    def dead_letters(self, lane: Lane, *, limit: int = 10) -> list[shapes.DeadLetter]:
        answer: shapes.Letters = self._wire.ask(
            "GET", f"/v1/lanes/{lane}/dead-letters", query={"limit": limit}
        )
        return answer["items"]

    def redrive(self, lane: Lane, letters: Sequence[str] = (), *, why: str = "by hand") -> int:
        return self._letters(lane, "redrive", letters, why)

    def quarantine(self, lane: Lane, letters: Sequence[str] = (), *, why: str = "by hand") -> int:
        return self._letters(lane, "quarantine", letters, why)

    def pause(self, lane: Lane) -> None:
        self._wire.ask("POST", f"/v1/lanes/{lane}/pause")

    def resume(self, lane: Lane) -> None:
        self._wire.ask("POST", f"/v1/lanes/{lane}/resume")

    def models(self) -> list[shapes.Model]:
        answer: shapes.Models = self._wire.ask("GET", "/v1/models")
        return answer["items"]

    def model(self, model: str) -> shapes.ModelCard:
        """One model with its card and every release on record."""
        answer: shapes.ModelCard = self._wire.ask("GET", f"/v1/models/{model}")
        return answer

    def roll_back(self, model: str, *, why: str) -> shapes.ModelMoved:
        answer: shapes.ModelMoved = self._wire.ask("POST", f"/v1/models/{model}/rollback", body={"why": why})
        return answer

    def promote(self, model: str, release: str, *, why: str) -> shapes.ModelMoved:
        return self._decided(model, release, "promote", why)

    def reject(self, model: str, release: str, *, why: str) -> shapes.ModelMoved:
        return self._decided(model, release, "reject", why)

    def train(self, model: str, *, recipe: str | None = None) -> shapes.Ordered:
        """A job for what is labelled now; asked for again, it is the same job."""
        body = {"recipe": recipe} if recipe else {}
        answer: shapes.Ordered = self._wire.ask("POST", f"/v1/models/{model}/trainings", body=body)
        return answer

    def trainings(self, model: str) -> list[shapes.Training]:
        answer: shapes.Trainings = self._wire.ask("GET", f"/v1/models/{model}/trainings")
        return answer["items"]

    def subscribe(self, url: str, **wanted: Any) -> shapes.Subscription:
        """Have an HTTPS endpoint told; it must confirm, as SNS asks it to."""
        answer: shapes.Subscription = self._wire.ask("POST", "/v1/subscriptions", body={"url": url, **wanted})
        return answer

    def _decided(self, model: str, release: str, act: str, why: str) -> shapes.ModelMoved:
        answer: shapes.ModelMoved = self._wire.ask(
            "POST", f"/v1/models/{model}/releases/{release}/{act}", body={"why": why}
        )
        return answer

    def subscriptions(self) -> list[shapes.Subscription]:
        """Your own; everybody's, for an admin."""
        answer: shapes.Subscriptions = self._wire.ask("GET", "/v1/subscriptions")
        return answer["items"]

    def unsubscribe(self, subscription: str) -> None:
        self._wire.ask("DELETE", f"/v1/subscriptions/{subscription}")

    def _letters(self, lane: Lane, act: str, letters: Sequence[str], why: str) -> int:
        body = {"letters": [*letters], "why": why}
        answer: shapes.Moved = self._wire.ask("POST", f"/v1/lanes/{lane}/dead-letters/{act}", body=body)
        return answer["letters"]

    def _pages(self, path: str, filters: dict[str, Any]) -> Iterator[Any]:
        query = dict(filters)
        while True:
            page = self._wire.ask("GET", path, query=query)
            yield from page["items"]
            if "next" not in page:
                return
            query["cursor"] = page["next"]


def _media(file: Path) -> str:
    return mimetypes.guess_type(file.name)[0] or "application/octet-stream"
