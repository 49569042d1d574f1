"""A release proves itself: what its graphs answer for known noise is what they answered when it was made."""

import numpy as np

from vigil.errors import BrokenRelease
from vigil.predict.release import Release, part_of, parts_of
from vigil.predict.session import open_session
from vigil.predict.table import Table, parsed

GOLDEN = "golden.toml"


def prove(release: Release) -> None:
    """Raises BrokenRelease where an answer is another, or there is none to compare with.

    A composite release has no graph of its own: each golden input names the part that it is for.
    """
    golden = parsed(GOLDEN, release.read(GOLDEN)) if GOLDEN in release.digests else Table(GOLDEN, {})
    unproven = {""} if "network" in release.card else {part for _, part in parts_of(release.card)}
    for number in range(_count(golden)):
        known = Table(golden.file, golden.values["noise"][number])
        part = known.text("part") if "part" in known else ""
        _prove(part_of(release, part) if part else release, known)
        unproven.discard(part)
    if unproven:
        raise BrokenRelease(f"{release.name} {release.id} has no golden input for {', '.join(unproven)}")


def _prove(release: Release, known: Table) -> None:
    shape = [int(size) for size in known.numbers("shape")]
    noise = np.random.default_rng(known.whole("seed")).uniform(-1, 1, shape).astype(np.float32)
    given = open_session(release).run([known.text("output")], noise)[0].ravel()
    said = [*(float(value) for value in given[: len(known.numbers("first"))]), float(given.mean())]
    meant = [*known.numbers("first"), known.number("mean")]
    if not np.allclose(said, meant, rtol=0, atol=known.number("tolerance")):
        raise BrokenRelease(f"{release.name} {release.id} answers its golden input wrongly")


def _count(golden: Table) -> int:
    found = golden.values.get("noise")
    if not isinstance(found, list) or not found:
        raise BrokenRelease(f"{golden.file} holds no golden input")
    return len(found)
