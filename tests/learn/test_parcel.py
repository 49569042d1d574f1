"""What a job left is unpacked only as far as it is a release's plain files."""

import io
import tarfile

import pytest

from vigil.learn.parcel import BadParcel, unpack


def packed(**files: bytes) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return made.getvalue()


def test_a_releases_files_come_out_by_name():
    parcel = packed(**{"digits/card.toml": b"[model]", "digits/model.onnx": b"graph", "other/x": b""})

    assert unpack(parcel, "digits") == {"card.toml": b"[model]", "model.onnx": b"graph"}


@pytest.mark.parametrize(
    "parcel", [b"no archive", packed(**{"digits/a/card.toml": b""}), packed(**{"digits/model.onnx": b""})]
)
def test_anything_else_is_refused(parcel: bytes):
    with pytest.raises(BadParcel):
        unpack(parcel, "digits")


def test_a_link_is_no_file():
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        member = tarfile.TarInfo("digits/card.toml")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)

    with pytest.raises(BadParcel):
        unpack(made.getvalue(), "digits")
