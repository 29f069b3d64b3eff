"""A face marked as not somebody's, or of somebody who is ignored, changes who is named, and no more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.svm import SVC
from synthetic import gallery, photos

from face_det.embedders import DLIB_RESNET, SFACE
from face_det.engine.engine import EngineOptions, build_engine
from face_det.gallery.gallery import Gallery
from face_det.media.image import load_image
from face_det.recognition.decision import PROBABILITY_DECISION, DecisionRule, decide_names
from face_det.recognition.model import Model, ModelCard
from face_det.recognition.negatives import MIN_NEGATIVE_QUALITY, NO_NEGATIVES, Negatives
from face_det.recognition.recognizer import Recognizer, match_faces
from face_det.training.train import refit_model
from face_det.types import UNKNOWN, Box, Encodings, Face, Match, Outcome, Veto

DLIB = "dlib_resnet:1"
BOTH = "both:dlib_resnet:1+sface:2"
RULE = DecisionRule()
PEOPLE = [f"Person {number}" for number in range(6)]
ANNA = "Person 3"


def lookalike(count: int, seed: int = 0, share: float = 0.65) -> Encodings:
    """Photos of somebody who resembles ANNA so much that she is named."""
    anna, eve = (photos(name, 200, seed=99).mean(axis=0) for name in (ANNA, "Eve"))
    return share * (anna - eve) + photos("Eve", count, seed=50 + seed)


@pytest.fixture(scope="module")
def model() -> Model:
    """Templates of six people, with strangers."""
    fitted = refit_model(None, gallery({**dict.fromkeys(PEOPLE, 6), UNKNOWN: 60}), kind="template")
    assert fitted is not None
    return fitted


def names(matches: list[Match]) -> list[str | None]:
    return [match.name for match in matches]


def not_anna(encodings: Encodings, fingerprint: str = DLIB) -> Negatives:
    return Negatives.of({ANNA: encodings}, fingerprint=fingerprint)


def test_a_lookalike_that_was_marked_is_no_longer_named(model: Model) -> None:
    """Three corrections are enough for a twin, and no other answer changes, to the last bit."""
    marked, others = lookalike(3, seed=1), lookalike(20, seed=2)
    assert names(decide_names(model, others, RULE)) == [ANNA] * 20
    after = decide_names(model, others, RULE, negatives=not_anna(marked))
    assert ANNA not in names(after)
    assert {match.veto for match in after} == {Veto(ANNA)}
    assert not [one for match in after for one in match.candidates if one.name == ANNA]
    own = np.vstack([photos(name, 20, seed=4) for name in (*PEOPLE, UNKNOWN)])
    before = decide_names(model, own, RULE)
    assert names(before).count(ANNA) == 20
    assert decide_names(model, own, RULE, negatives=not_anna(marked)) == before


def test_the_photo_that_was_marked_is_itself_no_longer_named(model: Model) -> None:
    """Also one that is as much like her as her own photos, and only that one of several."""
    own = photos(ANNA, 12, seed=4)
    after = decide_names(model, own, RULE, negatives=not_anna(own[:1]))
    assert after[0].name != ANNA
    assert names(after[1:]) == [ANNA] * 11


def test_marking_annas_own_photos_by_mistake_takes_few_names(model: Model) -> None:
    """Five of them, and her other photos are still named."""
    own = photos(ANNA, 45, seed=4)
    after = decide_names(model, own[5:], RULE, negatives=not_anna(own[:5]))
    assert names(after).count(ANNA) >= 36


def test_ignored_people_are_nobody(model: Model) -> None:
    """An ignored face is a negative for every name, and says so; those it does not resemble keep theirs."""
    ignored = Negatives.of({}, np.vstack([lookalike(4), photos("Dan", 4)]), fingerprint=DLIB)
    after = decide_names(model, lookalike(10, seed=3), RULE, negatives=ignored)
    assert not {*names(after)} & {*PEOPLE}
    assert {match.veto for match in after} == {Veto(ANNA, ignored=True)}
    own = photos(ANNA, 20, seed=4)
    assert decide_names(model, own, RULE, negatives=ignored) == decide_names(model, own, RULE)


def test_the_next_person_is_named_if_the_rule_allows() -> None:
    """Of twins neither is named; once the face is not Bea's, it is Ann's."""
    pair = gallery({"Ann": 6, UNKNOWN: 40})
    twins = Gallery(np.vstack([pair.encodings, photos("Ann", 6, seed=8)]), [*pair.names, *["Bea"] * 6])
    model = refit_model(None, twins, kind="template")
    assert model is not None
    asked = photos("Ann", 1, seed=9)
    assert decide_names(model, asked, RULE)[0].outcome is Outcome.UNCERTAIN
    after = decide_names(model, asked, RULE, negatives=Negatives.of({"Bea": asked}, fingerprint=DLIB))
    assert names(after) == ["Ann"]


def test_it_decides_before_the_one_face_of_a_frame_is_chosen(model: Model) -> None:
    """The likelier of two faces is not hers, so the other one gets the name."""
    own = photos(ANNA, 2, seed=4)
    boxes = [Box(0, 0, 50, 50), Box(100, 0, 150, 50)]
    before = decide_names(model, own, RULE, ["frame"] * 2, boxes)
    likelier = names(before).index(ANNA)
    assert before[1 - likelier].name is None
    after = decide_names(
        model, own, RULE, ["frame"] * 2, boxes, negatives=not_anna(own[likelier : likelier + 1])
    )
    assert (after[likelier].name == ANNA, after[1 - likelier].name) == (False, ANNA)


def test_the_rule_by_probability_takes_no_name_elsewhere(model: Model) -> None:
    """The probability of the person goes to nobody, with templates to compare with."""
    rule = DecisionRule(0.5, PROBABILITY_DECISION)
    asked = lookalike(10, seed=3)
    assert names(decide_names(model, asked, rule)) == [ANNA] * 10
    after = decide_names(model, asked, rule, negatives=not_anna(lookalike(4)))
    assert names(after) == [None] * 10
    assert all(match.probability < 0.5 for match in after if match.probability is not None)
    own = photos(ANNA, 10, seed=4)
    assert names(decide_names(model, own, rule, negatives=not_anna(lookalike(3)))) == [ANNA] * 10


def test_the_originals_svm_compares_with_its_support_vectors() -> None:
    """A pickle of the original has no templates, and does not say which network it takes."""
    enrolled = gallery(dict.fromkeys(PEOPLE, 6))
    y = np.array([PEOPLE.index(name) for name in enrolled.names])
    classifier = SVC(kernel="linear", C=10).fit(enrolled.encodings, y)
    columns = np.eye(6)
    classifier.predict_proba = lambda X: columns[classifier.predict(X)]
    card = ModelCard("original", "svm", {}, tuple(PEOPLE), None, None)
    original = Model(classifier, tuple(PEOPLE), card, "")
    own, other = photos(ANNA, 20, seed=4), lookalike(20, seed=2)
    assert names(decide_names(original, np.vstack([own, other]), RULE)) == [ANNA] * 40
    after = names(decide_names(original, np.vstack([own, other]), RULE, negatives=not_anna(lookalike(3))))
    assert after == [ANNA] * 20 + [None] * 20


def test_without_any_photo_of_the_person_only_what_is_very_near_counts() -> None:
    """As for an xgb of the original: within the gate distance of dlib's network, 0.5."""
    classifier = SimpleNamespace(
        classes_=np.arange(2), predict_proba=lambda X: np.tile([0.97, 0.03], (len(X), 1))
    )
    card = ModelCard("original", "xgb", {}, ("Anna", "Bob"), None, None)
    original = Model(classifier, ("Anna", "Bob"), card, "")
    face, near, far = photos("Eve", 3)
    near, far = face + 0.4 * (near - face) / np.linalg.norm(near - face), face + 0.9 * np.eye(128)[5]
    negatives = Negatives.of({"Anna": face[None]}, fingerprint=DLIB)
    assert names(decide_names(original, np.array([face, near, far]), RULE, negatives=negatives)) == [
        None,
        None,
        "Anna",
    ]


def test_other_networks_negatives_are_not_compared(model: Model) -> None:
    """Another network, another version of it, or another number of dimensions: as if there were none."""
    card = replace(model.card, fingerprint=DLIB)
    recorded = replace(model, card=card)
    marked, asked = lookalike(4), lookalike(10, seed=3)
    before = decide_names(recorded, asked, RULE)
    assert ANNA in names(before)
    for fingerprint in ("sface:2", "dlib_resnet:0", BOTH.replace(":1", ":0")):
        wide = np.hstack([marked, marked]) if fingerprint.startswith("both") else marked
        other = not_anna(wide, fingerprint)
        assert other
        assert not other.compares_with(DLIB)
        assert decide_names(recorded, asked, RULE, negatives=other) == before
    assert decide_names(recorded, asked, RULE, negatives=not_anna(marked[:, :64])) == before
    assert ANNA not in names(decide_names(recorded, asked, RULE, negatives=not_anna(marked)))


def test_joined_encodings_are_compared_part_by_part(model: Model) -> None:
    """Those of `sface` with a model of `both`, and those of `both` with one of `dlib_resnet`."""
    made = gallery({**dict.fromkeys(PEOPLE, 6), UNKNOWN: 60})
    rotation = np.linalg.qr(np.random.default_rng(3).normal(size=(128, 128)))[0]

    def unlike_dlibs(encodings: Encodings) -> Encodings:
        # Two networks place the same people differently.
        turned: Encodings = encodings @ rotation
        return turned

    joined = Gallery.from_rows(np.hstack([made.encodings, unlike_dlibs(made.encodings)]), made.names, BOTH)
    asked = lookalike(10, seed=3)
    both = refit_model(None, joined, kind="template", embedder="both")
    assert both is not None
    assert both.card.fingerprint == BOTH
    wide = np.hstack([asked, unlike_dlibs(asked)])
    assert names(decide_names(both, wide, RULE)).count(ANNA) >= 8
    marked = unlike_dlibs(lookalike(4))
    assert ANNA not in names(decide_names(both, wide, RULE, negatives=not_anna(marked, "sface:2")))
    assert ANNA in names(decide_names(both, wide, RULE, negatives=not_anna(marked, "sface:3")))
    recorded = replace(model, card=replace(model.card, fingerprint=DLIB))
    wider = not_anna(np.hstack([lookalike(4), marked]), BOTH)
    assert ANNA in names(decide_names(recorded, asked, RULE))
    assert ANNA not in names(decide_names(recorded, asked, RULE, negatives=wider))


def test_poor_negatives_count_only_for_nearly_the_same_face(model: Model) -> None:
    """Poor faces look like each other; the frame after the one that was marked is still recognised."""
    marked, blurred = lookalike(4), [MIN_NEGATIVE_QUALITY - 0.01] * 4
    poor = Negatives.of({ANNA: marked}, fingerprint=DLIB, qualities={ANNA: blurred})
    asked = lookalike(10, seed=3)
    assert decide_names(model, asked, RULE, negatives=poor) == decide_names(model, asked, RULE)
    next_frame = marked[:1] + 0.01 * np.eye(128)[:1]
    assert names(decide_names(model, next_frame, RULE)) == [ANNA]
    assert ANNA not in names(decide_names(model, next_frame, RULE, negatives=poor))
    clear = Negatives.of({ANNA: marked}, fingerprint=DLIB, qualities={ANNA: [None] * 4})
    assert ANNA not in names(decide_names(model, asked, RULE, negatives=clear))


def test_nothing_to_compare_is_no_error(model: Model) -> None:
    """No negatives, empty ones, zeros, NaN, people who are not enrolled; and no faces, and no model."""
    asked = lookalike(4, seed=3)
    before = decide_names(model, asked, RULE)
    useless = np.vstack([np.zeros(128), np.full(128, np.nan)])
    for negatives in (
        NO_NEGATIVES,
        not_anna(np.empty((0, 128))),
        not_anna(useless),
        Negatives.of({"Nobody": lookalike(2), UNKNOWN: lookalike(2)}, useless, fingerprint=DLIB),
    ):
        assert decide_names(model, asked, RULE, negatives=negatives) == before
    assert not not_anna(useless)
    assert decide_names(model, np.empty((0, 128)), RULE, negatives=not_anna(asked)) == []
    assert names(decide_names(None, asked, RULE, negatives=not_anna(asked))) == [None] * 4


def test_the_recognizer_asks_its_negatives(model: Model) -> None:
    """Through `match`, which takes faces, some of them without an encoding."""
    faces = [Face(Box(0, 0, 90, 90), 0.9, 99.0, None, row, quality=0.9) for row in lookalike(3, seed=3)]
    plain = Recognizer(None, model)  # type: ignore[arg-type]
    assert ANNA in names(plain.match(faces, [0, 1, 2]))
    told = replace(plain, negatives=not_anna(lookalike(4)))
    assert ANNA not in names(told.match(faces, [0, 1, 2]))


# ---- real photos

DRIVER = ("carphone", "carphone2", "carphone3")


@pytest.mark.slow
@pytest.mark.usefixtures("shared_networks")
def test_a_real_driver_is_not_obama(photos: Mapping[str, Path]) -> None:
    """With a threshold so low that he is named Obama, one correction takes the name, and Obama keeps his."""
    engine = build_engine(EngineOptions(embedder="sface"))

    def face(photo: str) -> Face:
        (faces,) = engine.faces([(load_image(photos[photo]), None)])
        return max(faces, key=lambda one: one.box.width)

    seen = {photo: face(photo) for photo in ("obama", "obama2", "obama3", "biden", *DRIVER)}
    rows = np.array([seen[photo].encoding for photo in ("obama", "obama2")])
    fingerprints = {SFACE: engine.fingerprint}
    enrolled = Gallery({DLIB_RESNET: np.eye(2, 128), SFACE: rows}, ["Obama"] * 2, fingerprints)
    strict = refit_model(None, enrolled, kind="template")
    assert strict is not None
    assert strict.verifier is not None
    template = strict.verifier.template
    template.even_distance = 2.0
    low = replace(strict, verifier=replace(strict.verifier, threshold=-1.0))
    asked = [seen[photo] for photo in ("obama3", "biden", *DRIVER)]
    assert names(match_faces(low, RULE, asked, [*range(5)])) == ["Obama"] * 5
    marked = seen["carphone"]
    assert marked.encoding is not None
    negatives = Negatives.of(
        {"Obama": marked.encoding[None]},
        fingerprint=engine.fingerprint,
        qualities={"Obama": [marked.quality]},
    )
    after = match_faces(low, RULE, asked, [*range(5)], negatives)
    assert names(after)[:2] == ["Obama"] * 2
    assert "Obama" not in names(after)[2:]
