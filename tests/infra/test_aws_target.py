"""What ships to AWS is built for Lambda, whatever machine builds it. Fetches wheels on its first run."""

import json
from pathlib import Path

import pytest

from infra.package import package

LINUX = b"\x7fELF"
X86_64 = b"\x3e\x00"
MACHINE = slice(18, 20)


@pytest.fixture(scope="module")
def shipped() -> Path:
    return package("aws")


def test_every_library_is_for_linux_on_x86_64(shipped: Path):
    libraries = list((shipped / "layers" / "runtime").rglob("*.so*"))

    heads = {path.name: path.read_bytes()[:20] for path in libraries}
    assert len(heads) > 20
    assert [
        name for name, head in heads.items() if not head.startswith(LINUX) or head[MACHINE] != X86_64
    ] == []


def test_every_extension_is_for_the_runtime_that_the_template_names(shipped: Path):
    template = json.loads((shipped / "sam.json").read_text())
    tagged = {path.name for path in (shipped / "layers" / "runtime").rglob("*.cpython-*.so")}

    assert template["Resources"]["Live"]["Properties"]["Runtime"] == "python3.13"
    assert [name for name in tagged if ".cpython-313-x86_64-linux-gnu" not in name] == []
    assert any(name.startswith("onnxruntime_pybind11_state") for name in tagged)
