"""A model and its two files: what is written comes back, and what does not fit is refused."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import LabelEncoder
from sklearn.svm import SVC, LinearSVC
from synthetic import gallery, numbered, photos

from face_det.errors import ModelMismatch, ModelMissing, UnsafePickle
from face_det.gallery.gallery import Gallery
from face_det.recognition import model, model_file
from face_det.recognition.model import Model
from face_det.storage.pickles import safe_unpickler
from face_det.training import train

FAMILY = {"Alice": 5, "Bob": 5, "Unknown": 5}
NO_STRANGERS = {"Alice": 3, "Zoe": 3}


def trained(kind: str = "nearest", counts: dict[str, int] = FAMILY) -> Model:
    plain = gallery(counts)
    noted = Gallery(plain.encodings, plain.names, {"dlib_resnet": "dlib_resnet:abc"})
    found = train.refit_model(None, noted, kind=kind)
    assert found is not None
    return found


def write(tmp_path: Path, classifier: object, labels: object) -> tuple[Path, Path]:
    places = tmp_path / "model.pickle", tmp_path / "labels.pickle"
    for place, content in zip(places, (classifier, labels), strict=True):
        place.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content))
    return places


def encoder(*names: str) -> LabelEncoder:
    return LabelEncoder().fit(list(names))


def original(counts: dict[str, int] = FAMILY) -> Any:
    """A classifier without a card, as the original's are."""
    return KNeighborsClassifier(1).fit(*numbered(counts))


@pytest.mark.parametrize("kind", ["svm", "nearest"])
@pytest.mark.parametrize("counts", [FAMILY, {"Alice": 5, "Zoe": 5}], ids=str)
def test_comes_back_as_it_was(tmp_path: Path, kind: str, counts: dict[str, int]) -> None:
    """Labels, card, fingerprint and probabilities survive the two files."""
    before = trained(kind, counts)
    after = model_file.load_model(*write(tmp_path, *model_file.dump_model(before)))
    X = photos("Alice", 3, seed=4)
    assert (after.labels, after.card, after.fingerprint) == (before.labels, before.card, before.fingerprint)
    assert np.array_equal(after.proba(X), before.proba(X))
    assert after.card.kind == kind
    assert after.card.fingerprint == "dlib_resnet:abc"


def test_files_are_what_the_originals_are() -> None:
    """scikit-learn alone reads them: an estimator, and a LabelEncoder over the people's names."""
    classifier, labels = map(
        pickle.loads, model_file.dump_model(trained("svm", {"Alice": 5, "Bob": 5, "Unknown": 5}))
    )
    assert isinstance(classifier, CalibratedClassifierCV)
    row = classifier.predict_proba(photos("Bob", 1, seed=4))[0]
    assert labels.classes_[row.argmax()] == "Bob"
    assert list(labels.inverse_transform([2, 0])) == ["Unknown", "Alice"]
    assert list(labels.transform(["Bob"])) == [1]


def test_nobody_enrolled_is_unknown() -> None:
    """The nearest classifier's class of nobody is a label behind the people's, on no label file."""
    found = trained("nearest", NO_STRANGERS)
    assert found.labels == ("Alice", "Zoe", "Unknown")
    assert found.card.classes == ("Alice", "Zoe")
    assert list(pickle.loads(model_file.dump_model(found)[1]).classes_) == ["Alice", "Zoe"]
    assert found.proba(photos("Unknown", 1, seed=4)).argmax() == 2


def test_nobody_enrolled_and_the_strangers_folder_are_one() -> None:
    """With photos of strangers there is one Unknown: both chances are added up."""
    found = trained("nearest", {"Alice": 3, "Unknown": 3, "Zoe": 3})
    assert found.labels == ("Alice", "Unknown", "Zoe")
    stranger_seen = found.proba(photos("Unknown", 1) + 0.02)
    assert stranger_seen[0, 1] == pytest.approx(1)
    assert found.proba(photos("Zoe", 5, seed=4)).sum(axis=1) == pytest.approx(np.ones(5))


def test_no_encodings_no_rows() -> None:
    """A call without a face asks nothing of the classifier, which would refuse."""
    assert trained().proba(np.empty((0, 128))).shape == (0, 3)


def test_the_originals_files_load(tmp_path: Path) -> None:
    """No card: kind `original`, the label file's names, nothing known of the embedder."""
    loaded = model_file.load_model(*write(tmp_path, original(), encoder("Alice", "Bob", "Unknown")))
    assert loaded.card == model.ModelCard("original", "svm", {}, ("Alice", "Bob", "Unknown"), None, None)
    assert loaded.labels[loaded.proba(photos("Bob", 1, seed=4))[0].argmax()] == "Bob"
    loaded.require_fingerprint("whatever")


def test_fingerprint_tells_models_apart(tmp_path: Path) -> None:
    """Other photos, other fingerprint; and loading does not change it."""
    one, other = trained(), trained(counts={"Alice": 6, "Bob": 5, "Unknown": 5})
    assert one.fingerprint != other.fingerprint
    assert len(one.fingerprint) == 12


def test_a_model_is_read_back_where_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once for each of its files, and not for its fingerprint, which is that of the file all the same."""
    read: list[str] = []
    parse = safe_unpickler.parse_pickle
    monkeypatch.setattr(
        safe_unpickler,
        "parse_pickle",
        lambda data, place, **how: (read.append(place), parse(data, place, **how))[1],
    )
    found = trained()
    assert read == []
    classifier, labels = model_file.dump_model(found)
    assert len(read) == 2
    again = model_file.parse_model(Path("model"), Path("labels"), classifier, labels)
    assert again.fingerprint == found.fingerprint


def test_other_embedder_is_refused() -> None:
    """A classifier of another network's encodings would answer nonsense."""
    found = trained()
    found.require_fingerprint("dlib_resnet:abc")
    with pytest.raises(
        ModelMismatch, match=r"must be trained on encodings of sface:1, got dlib_resnet:abc; run"
    ):
        found.require_fingerprint("sface:1")


def test_no_model_is_missing_and_half_a_model_does_not_fit(tmp_path: Path) -> None:
    """Nothing trained yet is one thing; a classifier without labels is another."""
    place, labels = tmp_path / "model.pickle", tmp_path / "labels.pickle"
    with pytest.raises(
        ModelMissing, match=r"model.pickle: must be a trained classifier.*run 'face-det train'"
    ):
        model_file.load_model(place, labels)
    labels.write_bytes(pickle.dumps(encoder("Alice")))
    with pytest.raises(ModelMissing):
        model_file.load_model(place, labels)
    labels.unlink()
    place.write_bytes(pickle.dumps(original()))
    with pytest.raises(ModelMismatch, match=r"labels.pickle: must hold the labels of .*model.pickle"):
        model_file.load_model(place, labels)


@pytest.mark.parametrize(
    ("classifier", "labels", "message"),
    [
        (original(), encoder("Alice", "Bob"), r"must have the 2 classes of .*labels.pickle.*got 3"),
        (original(), encoder(*"ABCD"), r"must have the 4 classes"),
        (original(), {"classes": ["A"]}, r"labels.pickle: must hold a LabelEncoder, got dict"),
        (original(), LabelEncoder().fit([1, 2, 3]), r"labels.pickle: must hold names"),
        (original(), LabelEncoder(), r"labels.pickle: must hold names"),
        (LinearSVC(), encoder("A"), r"must be a classifier with predict_proba, got LinearSVC"),
        ({"a": 1}, encoder("A"), r"must be a classifier with predict_proba, got dict"),
        (SVC(), encoder("A"), r"must be a classifier with predict_proba, got SVC"),
    ],
    ids=[
        "too few names",
        "too many names",
        "no encoder",
        "numbers",
        "unfitted",
        "no proba",
        "no estimator",
        "svc",
    ],
)
def test_what_does_not_belong_together_is_refused(
    tmp_path: Path, classifier: object, labels: object, message: str
) -> None:
    """Each with the file, what was expected, what was there, and what to do."""
    with pytest.raises(ModelMismatch, match=message + r".*run 'face-det train'"):
        model_file.load_model(*write(tmp_path, classifier, labels))


def test_other_names_of_the_same_number_are_refused(tmp_path: Path) -> None:
    """The card knows the names: a label file of another training is seen even if the count fits."""
    with pytest.raises(ModelMismatch, match=r"labels.pickle: must hold the 3 names.*differ in Alice, Eve"):
        model_file.load_model(
            *write(tmp_path, model_file.dump_model(trained())[0], encoder("Eve", "Bob", "Unknown"))
        )


def test_classes_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    """A classifier trained on names and not on their numbers has no columns to map."""
    X, y = numbered(FAMILY)
    classifier = KNeighborsClassifier(1).fit(X, np.array(["Alice", "Bob", "Unknown"])[y])
    with pytest.raises(ModelMismatch, match=r"numbered from 0"):
        model_file.load_model(*write(tmp_path, classifier, encoder("Alice", "Bob", "Unknown")))


@pytest.mark.parametrize("kind", [float, object])
def test_classes_must_be_whole_numbers(tmp_path: Path, kind: type) -> None:
    """Equal to whole numbers is not enough: they are places in the labels."""
    X, y = numbered(FAMILY)
    classifier = KNeighborsClassifier(1).fit(X, y)
    classifier.classes_ = classifier.classes_.astype(kind)
    with pytest.raises(ModelMismatch, match=r"numbered from 0"):
        model_file.load_model(*write(tmp_path, classifier, encoder("Alice", "Bob", "Unknown")))


def test_other_encodings_are_refused(tmp_path: Path) -> None:
    """512 numbers a face are another network's."""
    classifier = KNeighborsClassifier(1).fit(
        np.random.default_rng(0).normal(size=(6, 512)), [0, 0, 0, 1, 1, 1]
    )
    with pytest.raises(ModelMismatch, match=r"encodings of 128 or 192 or 256 or 10000 numbers, got 512"):
        model_file.load_model(*write(tmp_path, classifier, encoder("A", "B")))


def test_an_estimator_that_fails_when_asked_is_refused(tmp_path: Path) -> None:
    """What another version left out shows in predict_proba: at the start, not at the first face."""
    classifier = original()
    del classifier.effective_metric_
    with pytest.raises(
        ModelMismatch, match=r"must work with the libraries installed here, but fails with Attribute"
    ):
        model_file.load_model(*write(tmp_path, classifier, encoder("Alice", "Bob", "Unknown")))


@pytest.mark.parametrize("card", ["text", {"kind": "svm"}, {}], ids=str)
def test_a_card_that_is_none_is_refused(tmp_path: Path, card: object) -> None:
    """A damaged card is not taken for the original's lack of one."""
    classifier = original()
    setattr(classifier, model_file.CARD_ATTRIBUTE, card)
    with pytest.raises(ModelMismatch, match=r"must carry a card"):
        model_file.load_model(*write(tmp_path, classifier, encoder("Alice", "Bob", "Unknown")))


def test_a_pickle_of_something_else_is_refused(tmp_path: Path) -> None:
    """No part of it runs: that is safe_pickle's, and load goes through it for both files."""
    with pytest.raises(UnsafePickle, match=r"model.pickle"):
        model_file.load_model(*write(tmp_path, b"cos\nsystem\n(S'true'\ntR.", encoder("A")))
    with pytest.raises(UnsafePickle, match=r"labels.pickle"):
        model_file.load_model(*write(tmp_path, original(), b"no pickle"))
