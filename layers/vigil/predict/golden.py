"""A release proves itself: what its graph answers for known noise is what it answered when it was made."""

import numpy as np

from vigil.errors import BrokenRelease
from vigil.predict.release import Release
from vigil.predict.session import open_session
from vigil.predict.table import Table, parsed

GOLDEN = "golden.toml"


def prove(release: Release) -> None:
    """Raises BrokenRelease where an answer is another, or there is none to compare with."""
    golden = parsed(GOLDEN, release.read(GOLDEN)) if GOLDEN in release.digests else Table(GOLDEN, {})
    session = open_session(release)
    for number in range(_count(golden)):
        known = Table(golden.file, golden.values["noise"][number])
        shape = [int(size) for size in known.numbers("shape")]
        noise = np.random.default_rng(known.whole("seed")).uniform(-1, 1, shape).astype(np.float32)
        given = session.run([known.text("output")], noise)[0].ravel()
        said = [*(float(value) for value in given[: len(known.numbers("first"))]), float(given.mean())]
        meant = [*known.numbers("first"), known.number("mean")]
        if not np.allclose(said, meant, rtol=0, atol=known.number("tolerance")):
            raise BrokenRelease(f"{release.name} {release.id} answers its golden input wrongly")


def _count(golden: Table) -> int:
    found = golden.values.get("noise")
    if not isinstance(found, list) or not found:
        raise BrokenRelease(f"{golden.file} holds no golden input")
    return len(found)
