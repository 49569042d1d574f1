"""Only changed models are built, from reviewed packages, and failures are explained."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest
from rich.console import Console

from models.build import download as npm
from models.build.__main__ import _report
from models.build.build import build_all
from models.build.download import NpmPackage
from models.build.files import CARDS, BuildFailure
from tests.fakes.built_models import built_releases
from tests.fakes.onnx_classifier import write_classifier
from tests.models.build_folders import build_folders
from vigil.inference.release import open_release


def test_an_up_to_date_model_is_not_built_again():
    folder = built_releases()
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}

    assert build_all(ignore_progress) == []
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_a_built_release_records_its_files_and_its_id():
    release = open_release(built_releases(), "face-embed")

    note = json.loads(release.file_path("release.json").read_text())
    network = hashlib.sha256(release.file_path("model.onnx").read_bytes()).hexdigest()
    assert note["files"]["model.onnx"] == network
    assert note["id"] == release.id
    assert note["largest_difference"] < 1e-5


def test_a_classifier_with_its_network_beside_the_card_is_built(tmp_path: Path):
    write_classifier(tmp_path / "cards")

    built = build_all(ignore_progress, **build_folders(tmp_path))

    assert built == ["tiny-colours"]
    assert sorted(path.name for path in (tmp_path / "out" / "tiny-colours").iterdir()) == [
        "card.toml",
        "model.onnx",
        "release.json",
    ]


def test_a_model_with_a_changed_card_is_built_again(tmp_path: Path):
    home = write_classifier(tmp_path / "cards")
    folders = build_folders(tmp_path)
    build_all(ignore_progress, **folders)
    (home / "card.toml").write_text((home / "card.toml").read_text() + "\n# changed\n")

    assert build_all(ignore_progress, **folders) == ["tiny-colours"]


def test_a_network_that_is_missing_is_named(tmp_path: Path):
    (write_classifier(tmp_path / "cards") / "model.onnx").unlink()

    with pytest.raises(BuildFailure, match=r"model\.onnx is missing"):
        build_all(ignore_progress, **build_folders(tmp_path))


def test_a_member_with_another_hash_is_refused(tmp_path: Path):
    archive = _archive(tmp_path / "p-1.tgz", {"package/model.onnx": b"other bytes"})

    with pytest.raises(BuildFailure, match=r"package/model\.onnx in p-1\.tgz has sha256 .*, expected 00"):
        npm.read_member(archive, "package/model.onnx", "00" * 32)


def test_a_missing_member_is_named(tmp_path: Path):
    archive = _archive(tmp_path / "p-1.tgz", {"package/a": b""})

    with pytest.raises(BuildFailure, match="holds no package/b"):
        npm.read_member(archive, "package/b", "00" * 32)


def test_a_package_with_another_integrity_is_refused_and_not_cached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(npm, "_read_tarball", lambda *_: b"another tarball")

    with pytest.raises(BuildFailure, match="p@1 is not the reviewed one"):
        npm.fetch_tarball(NpmPackage("p", "1", "sha512-somethingelse"), tmp_path, ignore_download)
    assert list(tmp_path.iterdir()) == []


def test_a_cached_package_is_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    cached = _archive(tmp_path / "p-1.tgz", {"package/a": b""})
    monkeypatch.setattr(npm, "_read_tarball", lambda *_: pytest.fail("fetched"))

    integrity = npm.npm_integrity(cached.read_bytes())
    assert npm.fetch_tarball(NpmPackage("p", "1", integrity), tmp_path, ignore_download) == cached


def test_a_package_is_read_from_the_registry_without_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(npm, "_read_tarball", lambda *_: b"a tarball")
    monkeypatch.setattr(npm, "_npm_pack", lambda *_: pytest.fail("npm was started"))

    path = npm.fetch_tarball(
        NpmPackage("@s/p", "1", npm.npm_integrity(b"a tarball")), tmp_path, ignore_download
    )

    assert (path.name, path.read_bytes()) == ("s-p-1.tgz", b"a tarball")


def test_npm_fetches_a_package_that_the_registry_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(npm, "_read_tarball", _refuse)
    monkeypatch.setattr("shutil.which", lambda _: "npm")
    monkeypatch.setattr(npm, "_npm_pack", lambda *_: b"a tarball")

    path = npm.fetch_tarball(NpmPackage("p", "1", npm.npm_integrity(b"a tarball")), tmp_path, ignore_download)

    assert path.read_bytes() == b"a tarball"


def test_a_refused_package_without_npm_is_an_error_that_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(npm, "_read_tarball", _refuse)
    monkeypatch.setattr("shutil.which", lambda _: None)

    with pytest.raises(BuildFailure, match=r"p@1 could not be fetched .* 401.*install npm"):
        npm.fetch_tarball(NpmPackage("p", "1", ""), tmp_path, ignore_download)


def _refuse(package: NpmPackage, _: object) -> bytes:
    raise OSError(f"401 for {package.name}")


def test_the_registry_follows_scope_environment_and_files(tmp_path: Path):
    user, machine = tmp_path / ".npmrc", tmp_path / "npmrc"
    user.write_text("; mine\n@acme:registry=https://${HOST}/acme/\nregistry = 'https://user.test/npm/'\n")
    machine.write_text("registry=https://machine.test\n")
    files, environment = [tmp_path / "missing", user, machine], {"HOST": "scoped.test"}

    assert npm.registry_url("@acme/p", environment, files) == "https://scoped.test/acme"
    assert npm.registry_url("p", environment, files) == "https://user.test/npm"
    assert npm.registry_url("p", {"NPM_CONFIG_REGISTRY": "https://env.test/"}, files) == "https://env.test"
    assert npm.registry_url("p", {}, [machine]) == "https://machine.test"
    assert npm.registry_url("p", {}, []) == npm.PUBLIC_REGISTRY


def test_the_id_of_a_composite_model_changes_with_each_part(tmp_path: Path):
    home = write_classifier(tmp_path / "cards", "part")
    whole = tmp_path / "cards" / "whole"
    whole.mkdir()
    (whole / "card.toml").write_text(
        '[model]\nname = "whole"\nversion = "1"\nsummary = "a pair"\n'
        '[pipeline]\nkind = "pair"\n[pipeline.parts]\nfirst = "part"\n'
    )
    folders = build_folders(tmp_path)
    build_all(ignore_progress, **folders)
    before = open_release(tmp_path / "out", "whole").id
    (home / "card.toml").write_text((home / "card.toml").read_text() + "\n# changed\n")

    build_all(ignore_progress, **folders)

    assert open_release(tmp_path / "out", "whole").id != before


def test_every_card_with_a_source_has_a_licence_and_no_url():
    for card in CARDS.glob("*/card.toml"):
        text = card.read_text("utf-8")

        assert "[licence]" in text or "parts" in text, card
        assert "://" not in text, card


def _archive(path: Path, members: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def ignore_progress(name: str, doing: str) -> None:
    """Tests show no progress."""


def ignore_download(doing: str) -> None:
    """Takes the progress of a download."""


def test_a_download_reports_how_much_of_it_has_arrived():
    reports: list[str] = []

    data = b"".join(npm._read_chunks(io.BytesIO(bytes(5_000_000)), 5_000_000, reports.append))

    assert len(data) == 5_000_000
    assert reports == ["2 of 5 MB", "4 of 5 MB", "5 of 5 MB"]


def test_without_a_terminal_each_step_of_building_a_model_is_a_line():
    text = io.StringIO()
    console = Console(file=text)

    with console.status("") as status:
        _report(console, status, "faces", "fetching p@1: 2 of 5 MB")

    assert text.getvalue() == "models: faces: fetching p@1: 2 of 5 MB\n"
