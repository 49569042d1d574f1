"""Mutated files of every format are decoded or rejected, whatever the decoder raises.

`FUZZED_FILES` says how many; `make fuzz` tries half a million.
"""

import os
import random
from collections import Counter

from tests.unit.inference.sample_images import FORMATS, LIMITS, encode_image, two_colour_image
from vigil.errors import Rejected
from vigil.inference.images import create_thumbnail, decode_image

FUZZED_FILES = int(os.environ.get("FUZZED_FILES", "20000"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))
NUMBERS = [bytes([one]) * width for one in (0, 1, 0x7F, 0x80, 0xFF) for width in (1, 2, 4)]


def base_files() -> list[bytes]:
    thin = encode_image(two_colour_image().resize((600, 1)), "JPEG")
    squeezed = encode_image(two_colour_image(), "JPEG", dpi=(144, 72))
    return [*FORMATS.values(), thin, squeezed]


def mutate(data: bytes, chance: random.Random, others: list[bytes]) -> bytes:
    """One to six changes: bytes, extreme numbers, cuts, repetitions, parts of other files."""
    mutated = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        place = chance.randrange(len(mutated) or 1)
        if chance.random() < 0.5:
            place = min(place, chance.randrange(64))  # headers decide most
        end = place + chance.randint(1, 16)
        match chance.randrange(6):
            case 0:
                mutated[place : place + 1] = bytes([chance.randrange(256)])
            case 1:
                number = chance.choice(NUMBERS)
                mutated[place : place + len(number)] = number
            case 2:
                del mutated[place:end]
            case 3:
                mutated[place:place] = mutated[place:end] * chance.randint(1, 8)
            case 4:
                other = chance.choice(others)
                start = chance.randrange(len(other))
                mutated[place:end] = other[start : start + end - place]
            case _:
                del mutated[max(place, 8) :]
    return bytes(mutated)


def test_mutated_files_are_decoded_or_rejected():
    chance, files, outcomes = random.Random(SEED), base_files(), Counter[str]()

    for number in range(FUZZED_FILES):
        data = mutate(files[number % len(files)], chance, files)
        side_px = chance.choice([None, 16, 640])
        try:
            outcomes[decode_image(data, LIMITS, side_px=side_px).image.mode] += 1
            if number % 8 == 0:
                create_thumbnail(data, LIMITS, (3, 3, 20, 20))
        except Rejected as rejection:
            outcomes[rejection.reason] += 1

    assert set(outcomes) <= {
        "RGB",
        "empty-file",
        "not-an-image",
        "truncated-image",
        "too-many-pixels",
        "too-many-parts",
    }
    assert outcomes["RGB"] > FUZZED_FILES / 10
    assert outcomes["truncated-image"] > FUZZED_FILES / 10
