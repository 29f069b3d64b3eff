"""The recognizer: an engine and the model that belongs to it, which together find and name faces."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np

from face_det.engine import FaceEngine
from face_det.recognition.decision import DecisionRule, decide_names
from face_det.recognition.model import Model
from face_det.recognition.negatives import NO_NEGATIVES, Negatives
from face_det.types import Face, Match


@dataclass(frozen=True, slots=True)
class Recognizer:
    """An engine, the model that was trained on its encodings, and the rule for deciding on names.

    It never changes: enrolment and training make a new one, which a service swaps in as a whole, so that
    a call always sees an engine and a model that fit together.

    - `model`: None if nothing was trained yet; then every face is `unrecognised`.
    - `stale`: why the model should be trained again, if it should: it does not fit this installation, or
      other library versions trained it.
    - `negatives`: faces that are not somebody's, by what users said.
    """

    engine: FaceEngine
    model: Model | None
    stale: str | None = None
    rule: DecisionRule = field(default_factory=DecisionRule)
    negatives: Negatives = NO_NEGATIVES

    def match(
        self, faces: Sequence[Face], frames: Sequence[Hashable], looks: Sequence[int] | None = None
    ) -> list[Match]:
        """Decide who each face is; faces without an encoding keep the reason why they have none.

        `frames` has an entry for each face. Faces with equal entries were seen in one picture, where a
        person is named only once (`decide_names`). `looks` says of each how many encodings of the same
        person are asked about, of which any may name them; 1 if it is left out.

        >>> from face_det.types import Box, Reason
        >>> small = Face(Box(0, 0, 9, 9), 1.0, 0.0, Reason.TOO_SMALL, None)
        >>> Recognizer(engine=None, model=None).match([small], [0])[0].reason.value
        'too_small'
        """
        return match_faces(self.model, self.rule, faces, frames, self.negatives, looks)


def match_faces(
    model: Model | None,
    rule: DecisionRule,
    faces: Sequence[Face],
    frames: Sequence[Hashable],
    negatives: Negatives = NO_NEGATIVES,
    looks: Sequence[int] | None = None,
) -> list[Match]:
    """Decide who each face is, as `Recognizer.match` does; without a model, nobody is known.

    >>> match_faces(None, DecisionRule(), [], [])
    []
    """
    encoded = [index for index, face in enumerate(faces) if face.encoding is not None]
    matches = [Match(None, None, face.reason) for face in faces]
    if encoded:
        decided = decide_names(
            model,
            np.array([faces[index].encoding for index in encoded]),
            rule,
            [frames[index] for index in encoded],
            [faces[index].box for index in encoded],
            [faces[index].quality for index in encoded],
            negatives,
            None if looks is None else [looks[index] for index in encoded],
        )
        for index, match in zip(encoded, decided, strict=True):
            matches[index] = match
    return matches
