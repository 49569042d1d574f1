"""Two embeddings side by side: each knows who is enrolled in its own space, and looks into no other."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from infra.models.compose import composed
from infra.models.failure import BuildFailure
from tests.faces_at_hand import faces_model, photo, releases
from tests.rotated import write_rotated
from vigil.faces.enrol import embed_again, examine, grow, widened
from vigil.faces.galleries import Galleries
from vigil.faces.gallery import Gallery, Person
from vigil.faces.lineup import TooFew, measured
from vigil.faces.match import OtherSpace
from vigil.faces.pipeline import FacesModel, open_faces
from vigil.predict.golden import prove
from vigil.predict.release import open_release, part_of
from vigil.seeing import Portrait

NOBODY = frozenset[str]()


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory) -> FacesModel:
    """The whole model with its embedding turned, as a lane opens it after fetching."""
    folder = tmp_path_factory.mktemp("turned")
    return opened(composed("faces", write_rotated(folder)), folder)


def opened(files: dict[str, bytes], folder: Path) -> FacesModel:
    home = folder / "fetched" / "faces"
    home.mkdir(parents=True)
    for name, data in files.items():
        (home / name).write_bytes(data)
    release = open_release(home.parent, "faces")
    prove(release)
    return open_faces(Gallery, release, partial(part_of, release))


def portraits() -> list[tuple[str, Portrait]]:
    shown = {"obama": ("obama.jpg", "obama2.jpg", "obama3.jpg"), "biden": ("biden.jpg",)}
    found = []
    for person, names in shown.items():
        for name in names:
            template = examine(
                photo(name), model=faces_model(), person=person, gallery=Gallery(faces_model().embed)
            )
            assert template.portrait is not None
            found.append((person, template.portrait))
    return found


def test_a_portrait_is_enough_for_another_release_to_know_somebody_again(turned: FacesModel):
    straight = faces_model()
    template = examine(photo("obama.jpg"), model=straight, person="p-o", gallery=Gallery(straight.embed))
    both = widened(template, [turned])
    gallery = grow(Gallery(turned.embed), "p-o", [both], NOBODY)

    verdict = turned.match(turned.look(photo("obama3.jpg")).faces, gallery)[0]

    assert set(both.vectors) == {straight.embed, turned.embed}
    assert (verdict.status, verdict.label) == ("known", "p-o")


def test_vectors_of_two_releases_are_never_compared(turned: FacesModel):
    straight = faces_model()
    template = examine(photo("obama.jpg"), model=straight, person="p-o", gallery=Gallery(straight.embed))
    gallery = grow(Gallery(straight.embed), "p-o", [template], NOBODY)

    with pytest.raises(OtherSpace, match=turned.embed):
        turned.match(turned.look(photo("obama3.jpg")).faces, gallery)


def test_compared_all_the_same_they_would_know_nobody(turned: FacesModel):
    mine = faces_model().look(photo("obama.jpg")).faces[0].vector
    theirs = turned.look(photo("obama.jpg")).faces[0].vector

    assert abs(float(mine @ theirs)) < 0.2


def test_a_portrait_comes_to_what_its_photograph_comes_to():
    model = faces_model()
    template = examine(photo("biden.jpg"), model=model, person="p-b", gallery=Gallery(model.embed))
    assert template.portrait is not None

    again = embed_again(template.portrait, model)

    assert float(again @ template.vectors[model.embed]) > 0.95


def test_a_turned_embedding_is_as_good_as_the_straight_one(turned: FacesModel):
    lineup = [*portraits(), *(("biden-again", one) for _, one in portraits()[3:])]
    lineup = [(person.removesuffix("-again"), one) for person, one in lineup]

    metric, gain = measured(turned, faces_model(), lineup)

    assert (metric.value, gain.value) == (1.0, 0.0)


def test_a_release_cannot_be_examined_where_hardly_anybody_is_enrolled(turned: FacesModel):
    with pytest.raises(TooFew, match="two photos"):
        measured(turned, faces_model(), portraits()[:3])


def test_another_part_beside_the_same_embedding_leaves_the_space_as_it_is(tmp_path: Path):
    changed = tmp_path / "face-detect"
    changed.mkdir()
    made = releases() / "face-detect"
    (changed / "model.onnx").write_bytes((made / "model.onnx").read_bytes())
    (changed / "card.toml").write_text((made / "card.toml").read_text("utf-8") + "# another\n", "utf-8")

    whole = opened(composed("faces", changed), tmp_path)

    assert (whole.embed, whole.release == faces_model().release) == (faces_model().embed, False)


def test_what_is_no_part_is_not_put_together(tmp_path: Path):
    home = write_rotated(tmp_path)
    card = home / "card.toml"
    card.write_text(card.read_text("utf-8").replace('name = "face-embed"', 'name = "voice"'), "utf-8")

    with pytest.raises(BuildFailure, match="its parts: face-detect"):
        composed("faces", home)


def test_galleries_move_together_and_one_that_grows_is_not_in_use():
    vector = np.full((1, 4), 0.5, np.float32)
    old = grow_one(Gallery("old"), vector)
    known = Galleries(3, {"old": old}, {"old": "k"})

    growing = known.with_one(Gallery("new"), whole=False)
    whole = growing.with_one(grow_one(Gallery("new"), vector), whole=True)

    assert (growing.lacking("new"), whole.lacking("new")) == (("p",), ())
    assert (growing.growing, whole.growing) == (frozenset({"new"}), frozenset())
    assert (growing.version, whole.version, whole.keys) == (4, 5, {"old": "k"})
    assert whole.only({"new"}).of.keys() == {"new"}


def grow_one(gallery: Gallery, vector: NDArray[np.float32]) -> Gallery:
    return gallery.with_person(Person("p", vector))


def test_an_embedding_brings_the_thresholds_that_follow_from_its_own_scores(
    turned: FacesModel, tmp_path: Path
):
    lower = opened(composed("faces", write_rotated(tmp_path, shift=0.1)), tmp_path)

    ours, theirs = (model.settings for model in (turned, lower))
    asked = [each.calibration.threshold(1, 0.001).cosine for each in (ours, theirs)]
    assert asked[0] - asked[1] == pytest.approx(0.1)
    assert ours.same_as - theirs.same_as == pytest.approx(0.1, abs=1e-3)
    assert ours.enrol_alike - theirs.enrol_alike == pytest.approx(0.1, abs=1e-3)
    assert ours.same_as == pytest.approx(faces_model().settings.same_as, abs=1e-3)


def test_an_embedding_of_whose_scores_nothing_is_known_is_no_part(tmp_path: Path):
    part = write_rotated(tmp_path)
    card = part / "card.toml"
    card.write_text(card.read_text("utf-8").partition("[calibration]")[0], "utf-8")

    with pytest.raises(BuildFailure, match="calibration"):
        composed("faces", part)
