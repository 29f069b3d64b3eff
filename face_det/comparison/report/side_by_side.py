"""Pictures side by side: which detector found whom."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from html import escape

from face_det.comparison.compare import DetectorComparison, usable
from face_det.comparison.pictures import FolderPictures, Picture
from face_det.comparison.report.tables import format_scale, main_scale
from face_det.comparison.scoring import DetectorScore, Outcome, match_boxes
from face_det.errors import DataError
from face_det.media import load_image, make_thumbnail
from face_det.types import Box

MOST_PICTURES = 8
SIDE_PX = 640
"""The longer side of a picture on the page; it stands there once, however many detectors it is shown for."""

STYLE = """\
div.looks { display: grid; gap: .8rem; }
div.looks { grid-template-columns: repeat(auto-fill, minmax(min(15rem, 45%), 1fr)); }
div.looks figure { margin: 0; }
div.looks figcaption { font-size: .85rem; overflow-wrap: anywhere; }
svg.look { display: block; width: 100%; height: auto; max-height: 22rem; border-radius: .3rem; }
svg.look rect, svg.key rect { fill: none; vector-effect: non-scaling-stroke; stroke-width: 2.5px; }
rect.right { stroke: #00c853; }
rect.alarm { stroke: #ff6d00; stroke-dasharray: 7 3; }
rect.missed { stroke: #ff1744; stroke-dasharray: 2 3; }
rect.found { stroke: #2979ff; }
p.key span { margin-right: 1.2rem; white-space: nowrap; }
svg.key { width: 1.6rem; height: 1rem; vertical-align: -.1rem; }
svg.store { position: absolute; width: 0; height: 0; }
"""


def render_side_by_side(found: DetectorComparison, pictures: FolderPictures) -> Iterator[str]:
    """Yield the section: the pictures about which the detectors differ most, once for each detector."""
    scores = usable(found.scores)
    if not scores:
        return
    scale = main_scale(scores)
    shown = [score for score in scores if score.run.scale == scale]
    chosen = _choose(found, shown, pictures.pictures)
    if not chosen:
        return
    yield f"<h2>Who found whom, at scale {format_scale(scale)}</h2>\n"
    yield _key(found)
    for number, picture in enumerate(chosen):
        try:
            data = base64.b64encode(make_thumbnail(load_image(picture.path), SIDE_PX)).decode("ascii")
        except DataError:
            continue  # It is gone by now.
        yield f"<h3>{escape(pictures.name(picture.path))}</h3>\n"
        yield (
            f'<svg class="store" aria-hidden="true"><symbol id="picture{number}" '
            f'viewBox="0 0 {picture.width} {picture.height}"><image width="{picture.width}" '
            f'height="{picture.height}" href="data:image/jpeg;base64,{data}"/></symbol></svg>\n'
        )
        looks = "".join(_look(found, score, picture, number) for score in shown)
        yield f'<div class="looks">\n{looks}</div>\n'


def _choose(
    found: DetectorComparison, scores: Sequence[DetectorScore], pictures: Sequence[Picture]
) -> list[Picture]:
    """Return the pictures with the most mistakes, and with different ones; in the folder's order."""

    def worth(picture: Picture) -> tuple[int, int]:
        answers = [_counts(found, score, picture) for score in scores]
        return len({*answers}), sum(missed + alarms for _, alarms, missed in answers)

    ranked = sorted(pictures, key=worth, reverse=True)[:MOST_PICTURES]
    return [picture for picture in pictures if picture in ranked and worth(picture) > (1, 0)] or ranked[:1]


def _outcome(found: DetectorComparison, score: DetectorScore, picture: Picture) -> Outcome | None:
    if found.truth is None or picture.path not in found.truth.faces:
        return None
    finding = score.run.found.get(picture.sha256)
    boxes = () if finding is None else finding.boxes
    settings = found.settings
    return match_boxes(found.truth.faces[picture.path], boxes, settings.min_iou, settings.min_face_px)


def _counts(found: DetectorComparison, score: DetectorScore, picture: Picture) -> tuple[int, int, int]:
    outcome = _outcome(found, score, picture)
    if outcome is None:
        finding = score.run.found.get(picture.sha256)
        return (0 if finding is None else len(finding.boxes), 0, 0)
    return len(outcome.right), len(outcome.alarms), len(outcome.missed)


def _look(found: DetectorComparison, score: DetectorScore, picture: Picture, number: int) -> str:
    finding, outcome = score.run.found.get(picture.sha256), _outcome(found, score, picture)
    if finding is None:
        told, boxes = score.run.failed.get(picture.sha256, "no answer"), ""
    elif outcome is None:
        told = f"{len(finding.boxes)} found"
        boxes = "".join(_rect(box, "found") for box in finding.boxes)
    else:
        told = f"{len(outcome.right)} of {len(outcome.right) + len(outcome.missed)}"
        if outcome.alarms:
            told += f", {len(outcome.alarms)} false"
        boxes = "".join(
            _rect(box, kind)
            for kind, some in (
                ("missed", outcome.missed),
                ("alarm", outcome.alarms),
                ("right", outcome.right),
            )
            for box in some
        )
    caption = escape(f"{score.run.detector}: {told}")
    return (
        f'<figure><svg class="look" role="img" aria-label="{caption}" '
        f'viewBox="0 0 {picture.width} {picture.height}"><use href="#picture{number}"/>{boxes}</svg>'
        f"<figcaption><b>{escape(score.run.detector)}</b>: {escape(told)}</figcaption></figure>\n"
    )


def _rect(box: Box, kind: str) -> str:
    return (
        f'<rect class="{kind}" x="{box.xmin:.1f}" y="{box.ymin:.1f}" width="{box.width:.1f}" '
        f'height="{box.height:.1f}"/>'
    )


def _key(found: DetectorComparison) -> str:
    kinds = [("found", "found")]
    if found.truth is not None:
        kinds = [("right", "a face, found"), ("missed", "a face, missed"), ("alarm", "false alarm")]
    drawn = "".join(
        f'<span><svg class="key" viewBox="0 0 16 10"><rect class="{kind}" x="1.5" y="1.5" width="13" '
        f'height="7"/></svg> {text}</span>'
        for kind, text in kinds
    )
    return f'<p class="key">{drawn}</p>\n'
