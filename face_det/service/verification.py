"""Do two pictures show the same person? Decided as names are, with one photo in place of a gallery."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from face_det.classifiers import normalise_encodings
from face_det.errors import NoFace
from face_det.recognition import Recognizer, decide_names
from face_det.service import wire
from face_det.service.access import Access
from face_det.service.explanation import explain_face
from face_det.training import fit_single_face
from face_det.types import Encodings, Face, Match, Outcome

_REFERENCE = "the face of the first picture"


class Verification:
    """Answers `verify`."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def verify(self, image: object, other: object) -> dict[str, Any]:
        """Compare the largest face of `image` with each face of `other`; nothing is remembered.

        The first face is enrolled alone, for this call, and the others are decided about with the false
        accept rate in force. Raises BadRequest, BadImage, and NoFace if either picture has no face that can
        be compared.
        """
        sources = [wire.require_picture(image), wire.require_picture(other, "other")]
        recognizer = self._access.recognizer()
        result = recognizer.engine.run([(self._access.load(source).rgb, None) for source in sources])
        result.raise_if_crashed()
        first, second = (_largest_first(faces) for faces in result.faces)
        reference = _require_encoding(first, "image", recognizer)
        _require_encoding(second, "other", recognizer)
        compared = [face for face in second if face.encoding is not None]
        encodings = np.array([face.encoding for face in compared])
        answers = iter(self._compare(reference, encodings, recognizer))
        faces = [
            _describe(face, recognizer) | (next(answers) if face.encoding is not None else {})
            for face in second
        ]
        main = {key: faces[0][key] for key in ("same", "proba", "similarity")}
        return {**main, **_describe(first[0], recognizer), "faces": faces}

    def _compare(
        self, reference: Encodings, encodings: Encodings, recognizer: Recognizer
    ) -> list[dict[str, Any]]:
        rate = self._access.enroller.options.false_accept_rate
        model = fit_single_face(reference, _REFERENCE, recognizer.engine.fingerprint, rate)
        # Each face on its own: two of them may be of one person, as in a collage.
        matches = decide_names(model, encodings, recognizer.rule)
        proba = model.proba(encodings)[:, model.labels.index(_REFERENCE)]
        similarity = _cosines(reference, encodings)
        return [
            {
                "same": match.outcome is Outcome.KNOWN,
                "proba": min(1.0, float(likely)),
                "similarity": round(float(cosine), 4),
            }
            for match, likely, cosine in zip(matches, proba, similarity, strict=True)
        ]


def _largest_first(faces: Sequence[Face]) -> list[Face]:
    return sorted(faces, key=lambda face: face.box.width * face.box.height, reverse=True)


def _require_encoding(faces: Sequence[Face], place: str, recognizer: Recognizer) -> Encodings:
    """Return the encoding of the largest face; raise NoFace if there is none."""
    if not faces:
        raise NoFace(f"{place}: must show a face, got none that the detector sees")
    encoding = faces[0].encoding
    if encoding is None:
        why = _explain(faces[0], recognizer)
        raise NoFace(f"{place}: must show a face that can be compared, but {why}")
    return encoding


def _explain(face: Face, recognizer: Recognizer) -> str | None:
    return explain_face(face, Match(None, None, face.reason), recognizer.engine.options)


def _describe(face: Face, recognizer: Recognizer) -> dict[str, Any]:
    """Return where a face is, how good it is, and why it cannot be compared if so."""
    fields: dict[str, Any] = {
        "faceBox": wire.box_as_json(face.box),
        "quality": face.quality,
        "qualityParts": wire.quality_parts_as_json(face),
    }
    if face.encoding is None and face.reason is not None:
        fields |= {"faceReason": face.reason.value, "faceExplanation": _explain(face, recognizer)}
    return fields


def _cosines(reference: Encodings, encodings: Encodings) -> npt.NDArray[np.float64]:
    """Return the cosine of each encoding with the reference, shape (n,)."""
    cosines: npt.NDArray[np.float64] = (
        normalise_encodings(encodings) @ normalise_encodings(reference[None])[0]
    )
    return cosines
