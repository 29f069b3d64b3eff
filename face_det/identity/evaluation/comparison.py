"""Our decision beside others' rules: as they ship, and at the same rate of strangers named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from face_det.geometry import GEOMETRY
from face_det.identity.evaluation import rivals
from face_det.identity.evaluation.figures import Answers, OpenSet, open_set, threshold_for, threshold_from
from face_det.identity.evaluation.trial import Trial


@dataclass(frozen=True, slots=True)
class Line:
    """One rule against ours.

    `table` is the rule as it ships; `ours_there` is ours with the threshold at which it names no more
    strangers than the rule did; `ours_as_right` with the one at which it names as many people rightly as
    the rule did, None if it never does. `theirs_here` and `ours_here` are both with the threshold at which
    they name no more strangers than ours does as it ships. Such thresholds are known only afterwards:
    they compare how well people are told apart, not how well a threshold is chosen.
    """

    name: str
    table: OpenSet
    ours_there: OpenSet
    ours_as_right: OpenSet | None
    theirs_here: OpenSet
    ours_here: OpenSet

    @property
    def ahead_there(self) -> int:
        """Photos that ours names rightly beyond the rule's, where the rule stands; negative if fewer."""
        return self.ours_there.right - self.table.right

    @property
    def fewer_strangers(self) -> int | None:
        """Strangers whom the rule names beyond those that ours does with as many people named rightly;
        negative if they are fewer. None if ours never names so many."""
        if self.ours_as_right is None:
            return None
        return self.table.strangers_named - self.ours_as_right.strangers_named

    @property
    def ahead_here(self) -> int:
        """The same where ours stands."""
        return self.ours_here.right - self.theirs_here.right


def compare(given: Trial, ours: Answers, embedder: str) -> Iterator[Line]:
    """A line for each rule of `rivals.RULES`, on the encodings that ours was trained and asked with."""
    known = rivals.known(given.enrolled, given.names, GEOMETRY[embedder])
    here = _table(given, ours).strangers_named
    best = _at_most(given, ours, here)
    for name, rule in rivals.RULES.items():
        answers = rule(known, given.asked)
        table = _table(given, answers)
        there = _at_most(given, ours, table.strangers_named)
        enough = threshold_from(given.truth, ours, table.right)
        as_right = None if enough is None else _table(given, ours.at(enough))
        yield Line(name, table, there, as_right, _at_most(given, answers, here), best)


def _at_most(given: Trial, answers: Answers, strangers: int) -> OpenSet:
    return _table(given, answers.at(threshold_for(given.truth, answers, strangers)))


def _table(given: Trial, answers: Answers) -> OpenSet:
    return open_set(given.truth, answers, given.known_no_face, given.strangers_no_face)
