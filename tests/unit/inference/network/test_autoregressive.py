"""A text is written token by token, with caches, until the end token or the limit."""

from pathlib import Path
from typing import Any

import pytest

from tests.fakes.network_releases import network_files, opened_network
from vigil.inference.network.autoregressive import decode_tokens
from vigil.inference.network.check import example_input


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "good morning!"),
        ({"output.max_tokens": 3}, "good morning"),
        ({"output.tokens_per_s": 4.0}, "good morn"),
    ],
)
def test_a_text_ends_with_its_token_or_at_the_limit(tmp_path: Path, changes: dict[str, Any], text: str):
    model = opened_network(tmp_path, network_files("audio", "autoregressive", changes=changes))

    (sighting,) = model.find_all(example_input(model.card.input))[0]

    assert (sighting.text, sighting.status, sighting.span_s) == (text, "known", (0.0, 0.5))
    assert sighting.score == pytest.approx(1.0, abs=1e-3)


def test_bytes_that_are_tokens_become_characters():
    assert decode_tokens(["▁a", "<0xC3>", "<0xA9>", "▁b"]) == "a\u00e9 b"
