"""Models: which there are, how their releases fared, and what a person decides about them."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from cloud.lives import Overtaken
from cloud.state import kept
from functions import registers
from functions.api import wiring
from functions.api.cards import Card
from functions.api.operation import Call, Operation
from functions.api.problems import Conflict, NotFound
from functions.api.schemas import models as shapes
from vigil.flow.releases import promote, reject, roll_back
from vigil.learn.interval import Interval
from vigil.learn.release import IllegalMove, Life
from vigil.learn.stages import Book, Standing


def list_models(_: Call) -> shapes.Models:
    """All that can be asked for."""
    return shapes.Models(items=tuple(_told(card) for card in wiring.cards().values()))


def get_model(call: Call) -> shapes.ModelCard:
    """One model with its card, and every release of it that is on record, the newest first."""
    name = call.path["model"]
    card, book = wiring.cards().get(name), _book(name)
    told = _told(card) if card else shapes.Model(model=name, release="", suffixes=(), most_bytes=0)
    known = wiring.states().read(kept(name)).get(kept(name), {}).get("progress", {})
    newest = sorted(book.standings, key=lambda one: _born(one.life), reverse=True)
    return shapes.ModelCard(
        **told.model_dump(),
        card=dict(card.card) if card else {},
        active=book.pointers.active or told.release,
        candidate=_candidate(book),
        former=book.pointers.former,
        releases=tuple(_release(one, known.get(one.life.id)) for one in newest),
    )


def roll_back_model(call: Call, why: shapes.Why) -> shapes.ModelMoved:
    """The former release answers again; a candidate that was compared with the bad one goes too."""
    return _moved(call, why, roll_back)


def promote_release(call: Call, why: shapes.Why) -> shapes.ModelMoved:
    """The release that is being tried answers from now on, whatever the gates would say."""
    return _moved(call, why, partial(promote, release=call.path["release"]))


def reject_release(call: Call, why: shapes.Why) -> shapes.ModelMoved:
    """A release that is being tried, or waits for it, goes no further."""
    return _moved(call, why, partial(reject, release=call.path["release"]))


def _moved(call: Call, why: shapes.Why, move: Callable[..., tuple[Life, ...]]) -> shapes.ModelMoved:
    """What moved, with who said so and why in its history."""
    model, said = call.path["model"], f"by {call.caller.id}: {why.why}"
    book, release = _book(model), call.path.get("release")
    if release is not None and book.find(release) is None:
        raise NotFound(f"{model} has no such release")
    try:
        moved = move(model, lives=registers.lives(), now=datetime.now(UTC), reason=said)
    except (IllegalMove, Overtaken) as error:
        raise Conflict(str(error)) from error
    if not moved:
        raise Conflict(f"{model} has no former release to go back to")
    return shapes.ModelMoved(model=model, stages={life.id: life.stage for life in moved})


def _book(model: str) -> Book:
    """All about a model that is deployed, or has releases on record. Raises NotFound."""
    book = registers.lives().book(model)
    if model not in wiring.cards() and not book.standings:
        raise NotFound(f"there are: {', '.join(wiring.cards())}")
    return book


def _told(card: Card) -> shapes.Model:
    return shapes.Model(
        model=card.name, release=card.release, suffixes=card.suffixes, most_bytes=card.max_bytes
    )


def _candidate(book: Book) -> shapes.Candidate | None:
    pointers = book.pointers
    if pointers.candidate is None:
        return None
    return shapes.Candidate(release=pointers.candidate, share=pointers.share, beside=pointers.beside)


def _migrated(known: dict[str, Any]) -> shapes.Migrated:
    return shapes.Migrated(people=known["people"], left=known["left"], without=len(known["without"]))


def _release(standing: Standing, known: dict[str, Any] | None) -> shapes.Release:
    life = standing.life
    return shapes.Release(
        release=life.id,
        stage=life.stage,
        since=life.since,
        measured=_figure(standing.metric),
        gain=_figure(standing.gain) if standing.gain else None,
        history=tuple(
            shapes.Step(stage=move.stage, step=move.step, at=move.at, reasons=move.reasons)
            for move in life.history
        ),
        migrated=_migrated(known) if known else None,
    )


def _figure(interval: Interval) -> shapes.Figure:
    return shapes.Figure(value=interval.value, low=interval.low, high=interval.high, items=interval.items)


def _born(life: Life) -> datetime:
    return life.history[0].at if life.history else life.since


_DECIDED: dict[str, Any] = {
    "method": "POST",
    "role": "admin",
    "everywhere": True,
    "takes": shapes.Why,
    "answers": shapes.ModelMoved,
    "audited": True,
    "example": {"why": "it takes nines for fours since the new camera"},
    "problems": (NotFound, Conflict),
}

OPERATIONS = (
    Operation(
        "GET",
        "/v1/models",
        name="list-models",
        summary="All models that can be asked for",
        serve=list_models,
        answers=shapes.Models,
    ),
    Operation(
        "GET",
        "/v1/models/{model}",
        name="get-model",
        summary="One model with its card and its releases",
        serve=get_model,
        answers=shapes.ModelCard,
        problems=(NotFound,),
    ),
    Operation(
        path="/v1/models/{model}/rollback",
        name="roll-back-model",
        summary="Back to the former release",
        serve=roll_back_model,
        **_DECIDED,
    ),
    Operation(
        path="/v1/models/{model}/releases/{release}/promote",
        name="promote-release",
        summary="Let a candidate answer now",
        serve=promote_release,
        **_DECIDED,
    ),
    Operation(
        path="/v1/models/{model}/releases/{release}/reject",
        name="reject-release",
        summary="Try a release no further",
        serve=reject_release,
        **_DECIDED,
    ),
)
