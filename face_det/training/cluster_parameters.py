"""How likely encodings are to be one person's: the model of an embedder's encodings, and its parameters.

The model is the isotropic two-covariance one (Brümmer and de Villiers, "The speaker partitioning problem",
2010): a person's encodings lie around a centre with variance w = (1 - rho) / d in each direction, and centres
lie around the origin with variance b = rho / d. A group of encodings then needs only their number n and their
sum S. With the log marginal likelihood, less what does not depend on the partition,

    f(n, S) = |S|^2 / (2 w^2 (n / w + 1 / b)) - (d / 2) ln(1 + n b / w)

the log likelihood ratio of "A and B are one person" is f(A and B) - f(A) - f(B).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from face_det.embedders import configurable_embedder, embedder_from_fingerprint
from face_det.training.centres import load_centre

Floats = npt.NDArray[np.float64]
Sums = npt.NDArray[np.float32]
"""Encodings or sums of them, float32, shape (n, dimensions)."""

GRID = 2.0**-18
"""Encodings are rounded to multiples of this, so that float32 adds some hundred of them without an error:
then a sum depends neither on the order of joining nor on who has left again."""


@dataclass(frozen=True, slots=True)
class ClusterParameters:
    """The parameters of an embedder's clusters.

    `dimensions` (d) and `correlation` (rho) are effective values of the model above, `threshold` (tau) is the
    natural logarithm of the likelihood ratio from which on two clusters are one person. `redundancy` is the
    correlation, 0..1, of what the model takes for independent: photos of one season, one hairdo, one camera.
    n faces count as n / (1 + (n - 1) redundancy), Kish's effective sample size; without this, two large
    clusters of one person never merge.

    A face with a quality below `min_quality` may join a cluster, but neither found nor shape one, because
    blurred faces resemble each other; where the quality is not known, `min_norm` decides. `centre`
    is the embedder whose mean encoding is subtracted; then encodings are scaled to length 1. Of joined
    encodings, only the columns from the first to before the second of `columns` are used.
    """

    dimensions: float
    correlation: float
    threshold: float
    redundancy: float = 0.0
    min_norm: float = 0.0
    min_quality: float = 0.0
    centre: str | None = None
    columns: tuple[int, int] | None = None

    def prepare(self, encodings: npt.ArrayLike) -> Sums:
        """Return encodings as clusters add them up: float32, of length 1 and on a grid; the shape is kept.

        >>> ClusterParameters(64, 0.5, 10).prepare([3.0, 4.0]).round(3).tolist()
        [0.6000000238418579, 0.800000011920929]
        """
        found = np.asarray(encodings, np.float64)
        if self.columns is not None:
            found = found[..., slice(*self.columns)]
        if self.centre is not None:
            found = found - load_centre(self.centre)
        lengths = np.linalg.norm(found, axis=-1, keepdims=True)
        scaled = found / np.maximum(lengths, 1e-12)
        return np.asarray(np.rint(scaled / GRID) * GRID, np.float32)

    def evidence(self, counts: npt.ArrayLike, squares: npt.ArrayLike) -> Floats:
        """Return f(n, S), elementwise, from the numbers n of encodings and the squared lengths of S.

        >>> p = ClusterParameters(64, 0.5, 10)
        >>> ratio = p.evidence(2, 4.0) - 2 * p.evidence(1, 1.0)  # of a face and its copy
        >>> round(float(ratio), 2)
        30.54
        """
        n = np.asarray(counts, np.float64)
        odds = self.correlation / (1 - self.correlation)
        scale = self.dimensions / (2 * (1 - self.correlation))
        fit = scale * np.asarray(squares, np.float64) / (n + 1 / odds)
        return np.asarray(fit - self.dimensions / 2 * np.log1p(n * odds))

    def ratios(
        self, count: int, total: npt.ArrayLike, counts: npt.ArrayLike, totals: npt.ArrayLike
    ) -> Floats:
        """Return the log likelihood ratio of one group's being the same person as each of others, shape (m,).

        A group is the number of its encodings and the sum of what `prepare` makes of them: `total` has the
        shape (dimensions,), `totals` (m, dimensions).

        >>> anna, bob = SFACE_CLUSTERS.prepare(np.eye(128)[:2])
        >>> (SFACE_CLUSTERS.ratios(1, anna, [1, 1], [anna, bob]) > SFACE_CLUSTERS.threshold).tolist()
        [True, False]
        """
        numbers = np.asarray(counts, np.float64)
        own, sizes = float(self.effective(count)), self.effective(numbers)
        one = np.asarray(total, np.float64) * (own / count)
        others = np.asarray(totals, np.float64) * (sizes / numbers)[:, None]
        squares = np.einsum("ij,ij->i", others, others)
        together = self.evidence(own + sizes, one @ one + squares + 2 * others @ one)
        return together - self.evidence(own, one @ one) - self.evidence(sizes, squares)

    def effective(self, counts: npt.ArrayLike) -> Floats:
        """Return how many independent faces so many faces of a person are worth, elementwise.

        >>> ClusterParameters(64, 0.5, 10, redundancy=0.1).effective([1, 11, 1000]).round(1).tolist()
        [1.0, 5.5, 9.9]
        """
        n = np.asarray(counts, np.float64)
        return np.asarray(n / (1 + (n - 1) * self.redundancy))

    def may_shape(self, norm: float | None, quality: float | None) -> bool:
        """Tell whether a face may found or shape a cluster: by its quality, or by its norm if that is None.

        >>> parameters = ClusterParameters(100, 0.5, 13, min_norm=10, min_quality=0.9)
        >>> parameters.may_shape(9.5, None), parameters.may_shape(9.5, 0.95), parameters.may_shape(None, None)
        (False, True, True)
        """
        if quality is not None:
            return quality >= self.min_quality
        return norm is None or norm >= self.min_norm


SFACE_CLUSTERS = ClusterParameters(
    dimensions=100,
    correlation=0.5,
    threshold=12,
    redundancy=0.5,
    min_norm=10.5,
    min_quality=0.83,
    centre="sface",
)
"""Chosen on 40 people with 9 to 14 photos each and 1,000 with one, of one half of LFW, with and without
degraded faces among them: the middle of the region where nobody is found falsely and the pair F is highest.
Two faces are one person from a cosine of .46 between centred encodings on; the best of 500,000 pairs of
strangers reached .43."""

DLIB_CLUSTERS = ClusterParameters(
    dimensions=36, correlation=0.6, threshold=14, redundancy=0.3, min_quality=0.83, centre="dlib_resnet"
)
"""Chosen in the same way. dlib's encodings tell people apart less well: clusters are pure, but a person often
has several."""

CLUSTER_PARAMETERS = {
    "sface": SFACE_CLUSTERS,
    "dlib_resnet": DLIB_CLUSTERS,
    "both": replace(SFACE_CLUSTERS, columns=(128, 256)),
}
"""Parameters by the name of the embedder; of `both`, only SFace's part is used."""


def cluster_parameters(fingerprint: str) -> ClusterParameters | None:
    """Return how encodings with this fingerprint are clustered; None if they cannot be.

    >>> cluster_parameters("nobody's:1") is None
    True
    """
    return CLUSTER_PARAMETERS.get(configurable_embedder(embedder_from_fingerprint(fingerprint)))
