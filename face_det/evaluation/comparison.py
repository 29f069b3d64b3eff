"""Our decision beside others' rules: as they ship, and at the same rate of strangers named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from face_det.embedders import distance_thresholds
from face_det.evaluation import baselines
from face_det.evaluation.metrics import (
    OpenSetCounts,
    Predictions,
    count_open_set,
    find_threshold_by_named_rightly,
    find_threshold_by_strangers_named,
)
from face_det.evaluation.open_set import EncodedSplit


@dataclass(frozen=True, slots=True)
class BaselineComparison:
    """One rule against ours.

    `table` is the rule as it ships; `ours_there` is ours with the threshold at which it names no more
    strangers than the rule did; `ours_as_right` with the one at which it names as many people rightly as
    the rule did, None if it never does. `theirs_here` and `ours_here` are both with the threshold at which
    they name no more strangers than ours does as it ships. Such thresholds are known only afterwards:
    they compare how well people are told apart, not how well a threshold is chosen.
    """

    name: str
    table: OpenSetCounts
    ours_there: OpenSetCounts
    ours_as_right: OpenSetCounts | None
    theirs_here: OpenSetCounts
    ours_here: OpenSetCounts

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


def compare_with_baselines(
    given: EncodedSplit, ours: Predictions, embedder: str
) -> Iterator[BaselineComparison]:
    """A line for each rule of `rivals.RULES`, on the encodings that ours was trained and asked with."""
    known = baselines.prepare_baseline_gallery(given.enrolled, given.names, distance_thresholds(embedder))
    here = _table(given, ours).strangers_named
    best = _at_most(given, ours, here)
    for name, rule in baselines.BASELINE_RULES.items():
        answers = rule(known, given.asked)
        table = _table(given, answers)
        there = _at_most(given, ours, table.strangers_named)
        enough = find_threshold_by_named_rightly(given.truth, ours, table.right)
        as_right = None if enough is None else _table(given, ours.at(enough))
        yield BaselineComparison(name, table, there, as_right, _at_most(given, answers, here), best)


def _at_most(given: EncodedSplit, answers: Predictions, strangers: int) -> OpenSetCounts:
    return _table(given, answers.at(find_threshold_by_strangers_named(given.truth, answers, strangers)))


def _table(given: EncodedSplit, answers: Predictions) -> OpenSetCounts:
    return count_open_set(given.truth, answers, given.known_no_face, given.strangers_no_face)
