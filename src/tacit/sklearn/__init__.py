"""Any system as a scikit-learn estimator: five shells by what it is used for.

A shell takes a system and the options of a run; the system's own fields, and those of its parts, are parameters with
double underscores: ``system__n_clusters``, ``system__penalty__weight``. Shells work in pipelines, searches and ``clone``,
follow scikit-learn's habits for ``random_state``, feature names and errors, and pickle as JSON and safetensors bytes.

>>> from sklearn.datasets import load_digits
>>> import tacit
>>> from tacit.sklearn import Clusterer
>>> X = load_digits().data
>>> Clusterer(tacit.KMeans(n_clusters=10), random_state=0).fit_predict(X).shape
(1797,)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin, ClusterMixin, DensityMixin, OutlierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from tacit.core.game import System
from tacit.errors import InputError
from tacit.sklearn.shell import Encodes, Shell, can, seed

__all__ = ["Classifier", "Clusterer", "Generator", "OutlierDetector", "Transformer"]


class Clusterer(Encodes, ClusterMixin, Shell):
    """A clustering system as an estimator.

    Args:
        system: a system that can cluster; its fields are parameters too (``system__n_clusters``).
        steps, batch_size: of the run; None takes the system's defaults.
        random_state: the run's seed (an integer), a RandomState that gives one, or None for another each time.
        device, precision: as in :func:`tacit.fit`.
        shape: what a row is, where it is not a vector: ``(8, 8)`` turns 64 columns into a picture.
        fit_options: more options of :func:`tacit.fit`, by name.

    Attributes:
        labels_: int64 ``(n,)``, cluster of every row of the fit.
        model_: the :class:`tacit.Model`.
        n_features_in_, feature_names_in_: columns of the fit.

    >>> import tacit, numpy as np
    >>> X = np.random.default_rng(0).normal(size=(30, 2))
    >>> Clusterer(tacit.KMeans(n_clusters=3), random_state=0).fit(X).predict(X[:2]).shape
    (2,)
    """

    _use = "cluster"

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit the system to rows ``(n, d)`` or pictures ``(n, …)``; ``y`` is not looked at."""
        X = self._rows(X, reset=True)
        self._fit(X)
        self.labels_ = self.model_.cluster(X)
        self._measure(X)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Cluster of every row, int64 ``(n,)``, also of new ones."""
        return self._ask("cluster", X)


class Transformer(Encodes, Shell):
    """An encoding system as an estimator: ``transform`` gives codes, ``inverse_transform`` rows from codes.

    Parameters are those of :class:`Clusterer`.

    >>> import tacit, numpy as np
    >>> X = np.random.default_rng(0).normal(size=(30, 4))
    >>> Transformer(tacit.Autoencoder(latent_dim=2), steps=5, random_state=0).fit_transform(X).shape
    (30, 2)
    """

    _use = "encode"

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit the system to rows ``(n, d)`` or pictures ``(n, …)``; ``y`` is not looked at."""
        X = self._rows(X, reset=True)
        self._fit(X)
        self._measure(X)
        return self

    @can("decode")
    def inverse_transform(self, X: Any) -> np.ndarray:
        """Rows from codes ``(n, width of the code)``, in the units and the shape of the fitted rows."""
        check_is_fitted(self)
        return self.model_.decode(X)


class Generator(DensityMixin, Shell):
    """A generating system as an estimator. Parameters are those of :class:`Clusterer`.

    >>> import tacit, numpy as np
    >>> X = np.random.default_rng(0).normal(size=(30, 4))
    >>> Generator(tacit.GaussianMixture(n_clusters=2), random_state=0).fit(X).sample(5).shape
    (5, 4)
    """

    _use = "sample"

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit the system to rows ``(n, d)`` or pictures ``(n, …)``; ``y`` is not looked at."""
        self._fit(self._rows(X, reset=True))
        return self

    def sample(self, n_samples: int = 1, random_state: Any = None) -> np.ndarray:
        """Generated rows ``(n_samples, …)`` in the units and the shape of the fitted rows; an integer repeats them."""
        check_is_fitted(self)
        return self.model_.sample(n_samples, seed=seed(random_state))

    @can("score")
    def score_samples(self, X: Any) -> np.ndarray:
        """A number for every row, ``(n,)``; larger is more typical (log density where the system has one)."""
        return self._ask("score", X)

    @can("score")
    def score(self, X: Any, y: Any = None) -> float:
        """Mean of :meth:`score_samples`, for searches."""
        return float(self.score_samples(X).mean())


class Classifier(ClassifierMixin, Shell):
    """A system that predicts classes as an estimator. Parameters are those of :class:`Clusterer`, and one more.

    Args:
        unlabelled: the value of ``y`` that marks a row without label; None if all have one.

    Attributes:
        classes_: the values of ``y`` that are classes, sorted.
    """

    _use = "predict"

    def __init__(
        self,
        system: System | None = None,
        *,
        steps: int | None = None,
        batch_size: int | None = None,
        random_state: Any = None,
        device: str = "auto",
        precision: str = "auto",
        shape: Sequence[int] | None = None,
        fit_options: Mapping[str, Any] | None = None,
        unlabelled: Any = None,
    ):
        super().__init__(
            system, steps=steps, batch_size=batch_size, random_state=random_state, device=device, precision=precision,
            shape=shape, fit_options=fit_options,
        )  # fmt: skip
        self.unlabelled = unlabelled

    def fit(self, X: Any, y: Any) -> Self:
        """Fit the system to rows ``(n, d)`` or pictures ``(n, …)`` and their classes ``(n,)``.

        Raises:
            InputError: the system does not predict; every row is unlabelled.
            ValueError: ``y`` is missing, continuous, or of another length.
        """
        X, y = self._rows(X, reset=True, y=y)
        y = np.asarray(y)
        check_classification_targets(y)
        known = np.ones(len(y), bool) if self.unlabelled is None else y != self.unlabelled
        if not known.any():
            raise InputError(f"all {len(y)} rows are unlabelled (y is {self.unlabelled!r}); expected some classes; give labels")
        self.classes_, codes = np.unique(y[known], return_inverse=True)
        numbers = np.full(len(y), -1)
        numbers[known] = codes
        self._fit(X, numbers)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predicted class of every row, values of ``classes_``, ``(n,)``."""
        codes = self._ask("predict", X)
        return self.classes_[codes]


class OutlierDetector(OutlierMixin, Shell):
    """A scoring system as a detector of outliers. Parameters are those of :class:`Clusterer`, and one more.

    Args:
        contamination: share of the fitted rows, in (0, 0.5], below the threshold.

    Attributes:
        offset_: the threshold: ``decision_function = score_samples − offset_``.

    >>> import tacit, numpy as np
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> detector = OutlierDetector(tacit.GaussianMixture(n_clusters=1), contamination=0.05, random_state=0).fit(X)
    >>> detector.predict([[0.0, 0.0], [9.0, 9.0]])
    array([ 1, -1])
    """

    _use = "score"

    def __init__(
        self,
        system: System | None = None,
        *,
        steps: int | None = None,
        batch_size: int | None = None,
        random_state: Any = None,
        device: str = "auto",
        precision: str = "auto",
        shape: Sequence[int] | None = None,
        fit_options: Mapping[str, Any] | None = None,
        contamination: float = 0.1,
    ):
        super().__init__(
            system, steps=steps, batch_size=batch_size, random_state=random_state, device=device, precision=precision,
            shape=shape, fit_options=fit_options,
        )  # fmt: skip
        self.contamination = contamination

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit the system to rows ``(n, d)`` or pictures ``(n, …)`` and place the threshold; ``y`` is not looked at."""
        share = self.contamination
        if not (isinstance(share, Real) and 0 < share <= 0.5):
            raise InputError(f"OutlierDetector got contamination={share!r}; expected a share in (0, 0.5]; try 0.1")
        X = self._rows(X, reset=True)
        self._fit(X)
        self.offset_: float = float(np.percentile(self.model_.score(X).astype(np.float64), 100 * share))
        return self

    def score_samples(self, X: Any) -> np.ndarray:
        """A number for every row, float64 ``(n,)``; larger is more typical of the fitted rows."""
        return self._ask("score", X).astype(np.float64)

    def decision_function(self, X: Any) -> np.ndarray:
        """``score_samples(X) − offset_``, float64 ``(n,)``; negative for outliers."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> np.ndarray:
        """1 for inliers and −1 for outliers, ``(n,)``."""
        return np.where(self.decision_function(X) >= 0, 1, -1)
