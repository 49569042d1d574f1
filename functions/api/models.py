"""Models: which there are, and what their cards say."""

from functions.api import wiring
from functions.api.cards import Card
from functions.api.operation import Call, Operation
from functions.api.problems import NotFound
from functions.api.schemas import operations as shapes


def list_models(_: Call) -> shapes.Models:
    """All that can be asked for."""
    return shapes.Models(items=tuple(_told(card) for card in wiring.cards().values()))


def get_model(call: Call) -> shapes.ModelCard:
    """One model with its card."""
    card = wiring.cards().get(call.path["model"])
    if card is None:
        raise NotFound(f"there are: {', '.join(wiring.cards())}")
    return shapes.ModelCard(**_told(card).model_dump(), card=dict(card.card))


def _told(card: Card) -> shapes.Model:
    return shapes.Model(
        model=card.name, release=card.release, suffixes=card.suffixes, most_bytes=card.max_bytes
    )


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
        summary="One model with its card",
        serve=get_model,
        answers=shapes.ModelCard,
        problems=(NotFound,),
    ),
)
