"""The whole evaluation on random encodings: metrics, tables, JSON, and the page."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import synthetic
from matplotlib.axes import Axes
from PIL import Image
from threadpoolctl import threadpool_limits

from face_det.engine.engine import EngineOptions
from face_det.errors import DataError
from face_det.evaluation.evaluate import EncodedPhotos, Evaluation, ExtraMeasurements, evaluate_photos
from face_det.evaluation.metrics import Predictions, count_open_set, measure_reliability
from face_det.evaluation.open_set import RecognitionSettings, collect_encodings, embedding_columns
from face_det.evaluation.protocol import DatasetSplit, LabelledPhoto
from face_det.evaluation.report import as_json, charts, confusion, embedding_map, html
from face_det.evaluation.report.tables import build_tables
from face_det.gallery.encoding_cache import EncodingResult, OmissionReason
from face_det.gallery.photo_faces import PhotoFaces
from face_det.gallery.portraits import UNCHANGED_PHOTO, PortraitKey
from face_det.media.augment import DEGRADATIONS
from face_det.recognition.decision import DecisionRule
from face_det.training.masked import MASKED_CHANGE
from face_det.types import UNKNOWN, Box, Face, Reason

NASTY = "<script>alert(1)</script> & $x [bold]"
PEOPLE = ("Alice", "Bob", "Carol", NASTY)
SETTINGS = RecognitionSettings("template", "dlib_resnet", DecisionRule(0.9))


def some(name: str | None, count: int, seed: int, folder: str) -> dict[LabelledPhoto, EncodingResult]:
    """Photos of one person, or of `count` strangers, with encodings."""
    rows = synthetic.photos(UNKNOWN if name is None else name, count, seed)
    return {
        LabelledPhoto(Path(f"/{folder}/{name}-{at}.jpg"), name): EncodingResult(row, None)
        for at, row in enumerate(rows)
    }


def data() -> tuple[DatasetSplit, dict[PortraitKey, EncodingResult]]:
    """Four people with 5 enrolled and 3 tested photos each; 30 strangers to train on and 40 to test.

    One photo of Bob and one of a stranger have no face. Changes leave half of the photos without one.
    """
    enrolled = {k: v for name in PEOPLE for k, v in some(name, 5, 0, "enrolled").items()}
    tested = {k: v for name in PEOPLE for k, v in some(name, 3, 1, "tested").items()}
    tested |= some(None, 40, 1, "tested")
    strangers = some(None, 30, 0, "strangers")
    for photo in (
        LabelledPhoto(Path("/tested/Bob-2.jpg"), "Bob"),
        LabelledPhoto(Path("/tested/None-7.jpg"), None),
    ):
        tested[photo] = EncodingResult(None, OmissionReason.NO_FACE)
    outcomes: dict[PortraitKey, EncodingResult] = {}
    for at, (photo, outcome) in enumerate([*enrolled.items(), *strangers.items(), *tested.items()]):
        outcomes[photo.path, UNCHANGED_PHOTO] = outcome
        for change in (*DEGRADATIONS, MASKED_CHANGE):
            outcomes[photo.path, change] = outcome if at % 2 else EncodingResult(None, OmissionReason.NO_FACE)
    return DatasetSplit(tuple(enrolled), tuple(strangers), tuple(tested)), outcomes


def evaluate(
    split: DatasetSplit,
    outcomes: dict[PortraitKey, EncodingResult],
    settings: RecognitionSettings,
    extra: ExtraMeasurements,
    fingerprint: str = "dlib_resnet:test",
) -> Evaluation:
    """Evaluate; each tested photo shows the one face that it has an encoding of, or none."""
    tested = {photo.path for photo in split.tested}
    faces = {}
    for key, outcome in outcomes.items():
        seen = (
            () if outcome.encoding is None else (Face(Box(9, 9, 90, 90), 1.0, 99.0, None, outcome.encoding),)
        )
        if key[0] in tested:
            faces[key] = PhotoFaces(100, 100, seen, outcome.reason)
    photos = EncodedPhotos(outcomes, faces, fingerprint, EngineOptions())
    return evaluate_photos(split, photos, settings, extra)


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """One OpenMP thread: on little data the threads of t-SNE spend their time waiting for each other."""
    with threadpool_limits(1, user_api="openmp"):
        yield


@pytest.fixture(scope="module")
def found() -> Evaluation:
    """An evaluation with every extra measurement."""
    split, outcomes = data()
    return evaluate(split, outcomes, SETTINGS, ExtraMeasurements((1, 5), compare=True, degrade=True))


@pytest.fixture(scope="module")
def page(found: Evaluation) -> str:
    return html.render_html(found, "/photos/of <everybody>")


class Checker(HTMLParser):
    """Collects unclosed tags and everything that refers outside the page."""

    EMPTY = frozenset({"meta", "img", "br", "link", "hr", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.sources: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in self.EMPTY:
            self.open.append(tag)
        assert not any(name.startswith("on") for name, _ in attrs)
        self.sources += [value or "" for name, value in attrs if name in {"src", "href", "srcset", "data"}]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_counts_add_up(found: Evaluation) -> None:
    """All tested photos are counted, including those without a face, and most are named rightly."""
    assert (found.counts.known, found.counts.strangers) == (12, 40)
    assert (found.counts.known_no_face, found.counts.strangers_no_face) == (1, 1)
    assert found.counts.right >= 10
    assert found.counts.wrong == 0
    assert sum(person.counts.known for person in found.people) == 12
    assert found.calibration.counts.sum() == 50
    assert set(found.verification) == {"dlib_resnet"}


def test_fewer_photos_and_other_rates(found: Evaluation) -> None:
    """The row with all photos equals the main counts; a higher rate never names fewer strangers."""
    assert found.by_photos[5] == found.counts
    assert found.by_photos[1].known == 12
    strangers = [table.strangers_named for table in found.by_rate.values()]
    assert strangers == sorted(strangers)


def test_ours_at_their_rate(found: Evaluation) -> None:
    """At the rule's rate ours names no more strangers than the rule; at our rate the rule names no more."""
    (comparisons,) = found.comparisons.values()
    for line in comparisons:
        assert line.ours_at_its_rate.strangers_named <= line.shipped.strangers_named
        assert line.its_at_our_rate.strangers_named <= found.counts.strangers_named
        assert line.ours_at_our_rate.right >= found.counts.right
        assert line.ahead_at_its_rate == line.ours_at_its_rate.right - line.shipped.right
        if line.ours_as_right is None:
            assert line.fewer_strangers is None
        else:
            assert line.ours_as_right.right >= line.shipped.right
            assert line.fewer_strangers == line.shipped.strangers_named - line.ours_as_right.strangers_named
    assert any(line.ours_as_right is not None for line in comparisons)


def test_views_decide_and_one_view_is_measured_too(found: Evaluation) -> None:
    """With dlib's encodings in both forms, the views decide and are reported as dlib_resnet."""
    split, outcomes = data()
    doubled = {
        key: outcome
        if outcome.encoding is None
        else EncodingResult(np.hstack([-outcome.encoding, outcome.encoding]), None)
        for key, outcome in outcomes.items()
    }
    fingerprint = "all_dlib:dlib_resnet:test+dlib_views:test"
    again = evaluate(split, doubled, SETTINGS, ExtraMeasurements(compare=True), fingerprint)
    assert again.model.card.fingerprint == "dlib_views:test"
    assert [*again.comparisons] == ["dlib_views"]
    assert again.verification["dlib_resnet"] == again.verification["dlib_views"], "a mirrored space"
    said = as_json.evaluation_as_json(again)
    assert said["embedder"] == "dlib_resnet"
    assert [*said["verification"]] == ["dlib_resnet_one_view", "dlib_resnet"]
    assert [*said["compare"]] == ["dlib_resnet"]
    text = str([(table.title, table.rows) for table in build_tables(again)])
    assert "on the encodings of dlib_resnet, 6 views" in text
    assert "template on dlib_resnet, 6 views" in text


def test_degraded_rows(found: Evaluation) -> None:
    """The first row equals the main counts; photos without a face are counted."""
    assert [line.name for line in found.degraded] == ["as they are", *DEGRADATIONS, MASKED_CHANGE]
    assert found.degraded[0].counts == found.counts
    assert found.degraded[1].counts.known == 12
    assert found.degraded[1].counts.known_no_face >= 5
    assert found.degraded[0].end_to_end.counts == found.end_to_end.counts
    assert found.degraded[1].end_to_end.counts.lost == {
        Reason.NO_FACE: found.degraded[1].counts.known_no_face
    }


def test_tables_are_rectangular(found: Evaluation) -> None:
    """Each row has as many cells as the heading."""
    made = list(build_tables(found))
    assert len(made) >= 8
    for table in made:
        assert {len(row) for row in table.rows} == {len(table.head)}, table.title


def test_values_are_json(found: Evaluation) -> None:
    """The JSON values agree with the tables."""
    said = json.loads(json.dumps(as_json.evaluation_as_json(found), allow_nan=False))
    assert said["openSet"]["knownRight"]["count"] == found.counts.right
    assert set(said["perPerson"]) == set(PEOPLE)
    compared = said["compare"]["dlib_resnet"]
    assert len(compared) == 1 + 9
    (comparisons,) = found.comparisons.values()
    shipped, level = (table for table in build_tables(found) if "on the encodings of" in table.title)
    for line, row, same in zip(comparisons, shipped.rows[1:], level.rows, strict=True):
        assert row[0] == same[0] == line.name
        ahead = found.counts.f1 - line.shipped.f1
        assert compared[line.name]["aheadInF1"] == pytest.approx(ahead)
        assert row[-1] == ("level" if abs(ahead) < 5e-4 else f"ours by {ahead:.3f}")


def test_the_page_is_well_formed_and_needs_nothing_else(page: str) -> None:
    """Every tag is closed, pictures are embedded, and there are no scripts or outside references."""
    checker = Checker()
    checker.feed(page)
    checker.close()
    assert checker.open == []
    assert not {"script", "link", "iframe", "object"} & checker.tags
    assert len(checker.sources) >= 6
    assert all(source.startswith("data:image/") for source in checker.sources)
    assert "http://" not in page
    assert "https://" not in page
    assert not re.search(r"@import|url\(", page)
    for source in checker.sources:
        Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))).verify()


def test_the_page_begins_with_a_verdict(page: str) -> None:
    """A sentence, then what falls short, before any table."""
    checker = Checker()
    checker.feed(page.partition("<table")[0].partition("<body>")[2])
    text = " ".join(" ".join(checker.text).split())
    assert (
        "Of 12 photos of known people, 11 are named rightly and none wrongly; of 40 photos of strangers, "
        "none are named."
    ) in text
    assert "Only 12 photos of known people tested" in text


def test_the_page_can_be_read_on_a_phone(page: str) -> None:
    """Letters follow the reader's setting, tables and large charts scroll, other charts fit the screen."""
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in page
    style = page.partition("<style>")[2].partition("</style>")[0]
    assert not re.search(r"font[^;]*\dpx", style)
    assert page.count("<table>") == page.count('<div class="wide"><table>') > 0
    figures = re.findall(r'<figure class="(\w+)"><img src="data:image/png;base64,([^"]+)"([^>]*)>', page)
    assert len(figures) == page.count("<figure")
    for kind, data, more in figures:
        width_px = Image.open(io.BytesIO(base64.b64decode(data))).width * 96 // charts.DPI
        # Shrunk to a phone's 358 pixels, letters of 9 points keep at least 8 of their 12 pixels.
        assert kind == ("fits" if width_px <= 12 / 8 * 358 else "scrolls")
        assert ("width=" in more) == (kind == "scrolls")


def test_large_charts_scroll(found: Evaluation) -> None:
    """A matrix or a map of many people would be unreadable if it were shrunk."""
    truth, answers = many_people(30)
    matrix, _ = confusion.draw_confusion_matrix(truth, answers)
    shown = html._figure(html.ReportChart("Who", matrix, "", html._scroll_width_px(matrix)))
    assert re.search(r'<figure class="scrolls"><img [^>]* width="[5-9]\d\d">', shown)
    encodings = np.random.default_rng(0).normal(size=(60, 8))
    large, small = (
        html._scroll_width_px(embedding_map.draw_embedding_map(encodings, [*map(str, range(people))] * by))
        for people, by in ((20, 3), (10, 6))
    )
    assert large is not None
    assert small is None


def test_kinds_of_faces_that_nobody_tested_have_no_histogram() -> None:
    """An empty one would look as if there were no such scores."""
    some, none = np.array([0.5, 1.0]), np.array([])
    heights = [
        Image.open(
            io.BytesIO(
                charts.draw_score_histograms(charts.ScoreDistributions(some, other, strangers, 0.7, "score"))
            )
        ).height
        for other, strangers in ((some, some), (some, none), (none, none))
    ]
    assert heights[0] > 1.3 * heights[1] > 1.3 * 1.3 * heights[2]


def test_names_are_text(page: str) -> None:
    """Names that look like markup are escaped."""
    assert NASTY not in page
    checker = Checker()
    checker.feed(page)
    assert NASTY in checker.text
    assert any("/photos/of <everybody>" in text for text in checker.text)


@pytest.mark.slow
def test_mistakes_are_shown(found: Evaluation) -> None:
    """Mistakes are listed with the name given, even if the photo is gone."""
    split, outcomes = data()
    taken = next(photo for photo in split.tested if photo.name is None)
    outcomes[taken.path, UNCHANGED_PHOTO] = outcomes[split.enrolled[0].path, UNCHANGED_PHOTO]
    again = evaluate(split, outcomes, SETTINGS, ExtraMeasurements())
    ((photo, name, _),) = [mistake for mistake in again.mistakes if mistake[0] == taken]
    assert (photo, name) == (taken, "Alice")
    assert "a stranger named <b>Alice</b>" in html.render_html(again, "here")


@pytest.mark.slow
def test_a_classifier_without_a_verifier() -> None:
    """The original's rule has no threshold but minProba, and its scores are probabilities."""
    split, outcomes = data()
    settings = RecognitionSettings("nearest", "dlib_resnet", DecisionRule(0.9, "proba"))
    again = evaluate(split, outcomes, settings, ExtraMeasurements())
    assert again.counts.known == 12
    assert "How close the faces are" in html.render_html(again, "here")


def test_nobody_to_enrol() -> None:
    """Photos without a face enrol nobody."""
    split, outcomes = data()
    for photo in split.enrolled:
        outcomes[photo.path, UNCHANGED_PHOTO] = EncodingResult(None, OmissionReason.NO_FACE)
    with pytest.raises(DataError, match="must hold photos with a face, got none to enrol"):
        collect_encodings(split, outcomes, "dlib_resnet:test")


def test_columns() -> None:
    """Each embedder has its own columns, and `both` is dlib's and sface's."""
    assert {name: len(part) for name, part in embedding_columns("dlib_resnet:1").items()} == {
        "dlib_resnet": 128
    }
    found = embedding_columns("all:dlib_resnet:1+dlib_views:1+sface:2")
    assert list(found) == ["dlib_resnet", "dlib_views", "sface", "both"]
    assert [(part[0], part[-1], len(part)) for part in found.values()] == [
        (0, 127, 128),
        (128, 255, 128),
        (256, 383, 128),
        (0, 383, 256),
    ]
    assert list(embedding_columns("all_dlib:dlib_resnet:1+dlib_views:1")) == ["dlib_resnet", "dlib_views"]


def many_people(count: int) -> tuple[list[str | None], Predictions]:
    truth: list[str | None] = [f"Person {number:03}" for number in range(count)] + [None] * 5
    likeliest = [*truth[1:count], truth[0], *truth[:5]]
    scores = np.linspace(0, 1, len(truth))
    everybody = np.ones(len(truth), dtype=bool)
    return truth, Predictions(tuple(likeliest), scores, everybody, ~everybody)


@pytest.mark.slow
def test_a_matrix_of_many_people_is_cut() -> None:
    """Only people with mistakes are shown, and the note says so."""
    truth, answers = many_people(100)
    _, note = confusion.draw_confusion_matrix(truth, answers)
    assert note == "60 of 100 people, those with the most mistakes; 40 others have some."
    assert confusion.draw_confusion_matrix(*many_people(10))[1] == ""


def test_pictures_of_next_to_nothing() -> None:
    """Every chart can be drawn for one person, one photo, and no stranger."""
    nobody = np.array([False])
    answers = Predictions(("Alice",), np.array([0.5]), nobody, nobody)
    table = count_open_set(["Alice"], answers)
    none = np.array([])
    pictures = [
        charts.draw_det_curve(["Alice"], answers, table, {}),
        charts.draw_threshold_sweep(["Alice"], answers, table),
        charts.draw_score_histograms(charts.ScoreDistributions(np.array([1.0]), none, none, None, "score")),
        charts.draw_reliability_diagram(measure_reliability(none, none.astype(bool))),
        confusion.draw_confusion_matrix(["Alice"], answers)[0],
        embedding_map.draw_embedding_map(
            np.random.default_rng(0).normal(size=(4, 128)), ["Alice", "Alice", None, None]
        ),
    ]
    for picture in pictures:
        assert Image.open(io.BytesIO(picture)).width > 100


@pytest.mark.parametrize("least", [0.02, 0.1, 0.5, 0.9, 0.97, 0.995])
def test_the_sweep_shows_what_each_probability_does(monkeypatch: pytest.MonkeyPatch, least: float) -> None:
    """At every point of the axis, also between steps, the lines show the shares at that minProba."""
    lines = {}
    monkeypatch.setattr(
        Axes, "step", lambda _, x, y, where, label, **_more: lines.update({label: (x, y, where)})
    )
    monkeypatch.setattr(Axes, "legend", lambda *_, **__: None)
    truth = ("Alice", "Alice", None, None)
    likely = np.array([0.99, 0.3, 0.95, 0.05])
    answers = Predictions(("Alice",) * 4, likely, likely > 0.5, np.zeros(4, bool))
    charts.draw_threshold_sweep(truth, answers, count_open_set(truth, answers))
    for label, rows in (("known, named rightly", [0, 1]), ("strangers, named", [2, 3])):
        x, y, where = lines[label]
        assert where == "post"
        after = np.flatnonzero(np.asarray(x) >= least)[-1]  # x falls: this holds down to the next
        assert y[after] == np.mean(likely[rows] >= least)


def test_unreadable_pictures_are_left_out() -> None:
    """Unreadable pictures are counted and listed, but neither tested nor enrolled."""
    split, outcomes = data()
    before = evaluate(split, outcomes, SETTINGS, ExtraMeasurements())
    broken = [split.enrolled[0], split.strangers[0], *split.tested[:2], split.tested[-1]]
    for photo in broken:
        outcomes[photo.path, UNCHANGED_PHOTO] = EncodingResult(None, OmissionReason.BAD_IMAGE)
    again = evaluate(split, outcomes, SETTINGS, ExtraMeasurements())
    assert (again.counts.known, again.counts.strangers) == (
        before.counts.known - 2,
        before.counts.strangers - 1,
    )
    assert again.counts.known_no_face == before.counts.known_no_face
    assert as_json.evaluation_as_json(again)["unreadable"] == [str(photo.path) for photo in broken]
    facts = dict(next(table for table in build_tables(again) if table.title == "In short").rows)
    assert facts["cannot be read as pictures, left out"] == "5"


@pytest.mark.slow
@pytest.mark.parametrize(("people", "enrolled"), [(1, 1), (1, 5), (2, 1), (2, 2), (3, 3)])
def test_a_small_household_without_strangers(people: int, enrolled: int) -> None:
    """Every extra measurement works for a small household; shares without photos are "-"."""
    split, outcomes = data()
    names = PEOPLE[:people]
    few = DatasetSplit(
        tuple(photo for photo in split.with_photos(enrolled).enrolled if photo.name in names),
        (),
        tuple(photo for photo in split.tested if photo.name in names),
    )
    found = evaluate(few, outcomes, SETTINGS, ExtraMeasurements((1,), compare=True, degrade=True))
    assert found.counts.known == 3 * people
    shown = {row[0]: row for row in next(build_tables(found)).rows}
    assert shown["strangers, named"] == ("strangers, named", "0 of 0", "-", "-")
    page = html.render_html(found, "here")
    assert "<h2>Does faceProba" in page
    assert "no photo of a stranger was tested" in page
    assert "and no face of a stranger was tested" in page, "why there is no chart of the error trade-off"
    assert "Strangers are left out, because no face of a stranger was tested." in page
    assert page.count("<figure") == 5
    assert json.dumps(as_json.evaluation_as_json(found), allow_nan=False)


def test_photos_of_a_moment_that_is_enrolled() -> None:
    """Frames of an enrolled visit are counted and reported; a stranger's look-alike is not one of them."""
    split, outcomes = data()
    assert (
        as_json.evaluation_as_json(evaluate(split, outcomes, SETTINGS, ExtraMeasurements()))[
            "ofEnrolledMoments"
        ]
        == 0
    )
    alice = [photo for photo in split.enrolled if photo.name == "Alice"]
    again = [photo for photo in split.tested if photo.name in ("Alice", None)]
    for photo, like in zip(again, alice, strict=False):
        encoding = outcomes[like.path, UNCHANGED_PHOTO].encoding
        assert encoding is not None
        outcomes[photo.path, UNCHANGED_PHOTO] = EncodingResult(encoding + 0.002, None)
    found = evaluate(split, outcomes, SETTINGS, ExtraMeasurements())
    assert found.same_burst == 3
    facts = dict(next(table for table in build_tables(found) if table.title == "In short").rows)
    assert facts["tested, same moment as an enrolled photo"] == "3 of 12"
