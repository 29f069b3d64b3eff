"""Compares our decision with other systems' rules, as shipped and at equal rates of strangers named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from face_det.embedders import distance_thresholds
from face_det.evaluation.baselines import BASELINE_RULES, prepare_baseline_gallery
from face_det.evaluation.metrics import (
    OpenSetCounts,
    Predictions,
    find_threshold_by_named_rightly,
    find_threshold_by_strangers_named,
)
from face_det.evaluation.open_set import EncodedSplit


@dataclass(frozen=True, slots=True)
class BaselineComparison:
    """One rule compared with ours.

    `shipped` is the rule as shipped. `ours_at_its_rate` is ours at the threshold where it names no more
    strangers than the rule. `ours_as_right` is ours at the threshold where it names as many people rightly as
    the rule, or None if there is no such threshold. `its_at_our_rate` and `ours_at_our_rate` are the rule and
    ours at the thresholds where they name no more strangers than ours as shipped. These thresholds are known
    only in hindsight: they show how well people are told apart, not how well a threshold is chosen.
    """

    name: str
    shipped: OpenSetCounts
    ours_at_its_rate: OpenSetCounts
    ours_as_right: OpenSetCounts | None
    its_at_our_rate: OpenSetCounts
    ours_at_our_rate: OpenSetCounts

    @property
    def ahead_at_its_rate(self) -> int:
        """How many more photos ours names rightly at the rule's rate; negative if fewer."""
        return self.ours_at_its_rate.right - self.shipped.right

    @property
    def fewer_strangers(self) -> int | None:
        """How many more strangers the rule names when both name as many people rightly; negative if fewer.

        None if ours never names that many people rightly.
        """
        if self.ours_as_right is None:
            return None
        return self.shipped.strangers_named - self.ours_as_right.strangers_named

    @property
    def ahead_at_our_rate(self) -> int:
        """How many more photos ours names rightly at our own rate; negative if fewer."""
        return self.ours_at_our_rate.right - self.its_at_our_rate.right


def compare_with_baselines(
    encoded: EncodedSplit, ours: Predictions, embedder: str
) -> Iterator[BaselineComparison]:
    """Yield a comparison for each rule, on the encodings that ours was trained and tested with."""
    gallery = prepare_baseline_gallery(encoded.enrolled, encoded.names, distance_thresholds(embedder))
    our_strangers = encoded.count(ours).strangers_named
    ours_at_our_rate = _count_at_rate(encoded, ours, our_strangers)
    for name, rule in BASELINE_RULES.items():
        predictions = rule(gallery, encoded.probes)
        shipped = encoded.count(predictions)
        threshold = find_threshold_by_named_rightly(encoded.truth, ours, shipped.right)
        yield BaselineComparison(
            name,
            shipped,
            ours_at_its_rate=_count_at_rate(encoded, ours, shipped.strangers_named),
            ours_as_right=None if threshold is None else encoded.count(ours.with_threshold(threshold)),
            its_at_our_rate=_count_at_rate(encoded, predictions, our_strangers),
            ours_at_our_rate=ours_at_our_rate,
        )


def _count_at_rate(encoded: EncodedSplit, predictions: Predictions, strangers: int) -> OpenSetCounts:
    """Count at the lowest threshold that names at most that many strangers."""
    threshold = find_threshold_by_strangers_named(encoded.truth, predictions, strangers)
    return encoded.count(predictions.with_threshold(threshold))
