"""Estimators for scikit-learn (the `sklearn` extra). Rows are samples here.

from dnnlang.sklearn import DNNClassifier
model = DNNClassifier("digits.dnn").fit(X, y)
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

import dnnlang
from dnnlang.errors import DataError
from dnnlang.training import data_rules as rules
from dnnlang.training.columns import bind
from dnnlang.training.evaluation import outputs
from dnnlang.training.loop import Run, fit_run

Array = NDArray[Any]


class _Estimator(BaseEstimator):  # type: ignore[misc]
    """What both have in common. `program` is a path that ends in .dnn, or the text of a program.

    A size that the program leaves open is fixed by the data: features in, targets or classes out.
    """

    def __init__(
        self,
        program: str = "dim k; layer 32 relu; layer k",
        *,
        params: Mapping[str, Any] | None = None,
        backend: str = "auto",
        dtype: str = "float32",
        random_state: int | None = None,
    ) -> None:
        self.program = program
        self.params = params
        self.backend = backend
        self.dtype = dtype
        self.random_state = random_state

    def _compiled(self) -> Any:
        params = dict(self.params or {})
        text = str(self.program)
        if text.endswith(".dnn") and "\n" not in text:
            return dnnlang.compile_file(text, params=params)
        return dnnlang.compile(text, params=params)

    def _train(self, X: Array, Y: Array, units: int) -> None:
        """X (m, n[0]) and Y (n[L], m) or (m,), for an output of `units` units."""
        program = self._compiled()
        architecture = program.architecture
        if len(architecture.inputs) != 1 or len(architecture.outputs) != 1:
            raise DataError(rules.ARRAYS.at(None, "an estimator needs a program of one input and one output"))
        sizes: dict[str, int] = {}
        for node, wanted, what in (
            (architecture.inputs[0], X.shape[1], "columns of X"),
            (architecture.outputs[0], units, "units for the targets"),
        ):
            bound = bind(architecture.nodes[node].units, wanted, sizes)
            if bound is None:
                has = architecture.nodes[node].units
                rule = rules.COLUMN_COUNT if node in architecture.inputs else rules.TARGET
                message = f"{node} has {has} units, but the data ask for {wanted} ({what})"
                raise DataError(rule.at(architecture.nodes[node].span, message))
            sizes |= bound
        seed = architecture.settings.seed if self.random_state is None else int(self.random_state)
        self.network_ = program.load(backend=self.backend, dtype=self.dtype, sizes=sizes, seed=seed)
        self.history_ = fit_run(Run(self.network_, np.ascontiguousarray(X.T, self.dtype), Y))

    def _forward(self, X: Any) -> Array:
        """A, (n[L], m)."""
        check_is_fitted(self, "network_")
        rows = validate_data(self, X, reset=False, dtype=self.dtype)
        A = outputs(self.network_, np.ascontiguousarray(rows.T))
        return next(iter(A.values()))

    def __getstate__(self) -> dict[str, Any]:
        """Pickles hold the network as a model file does."""
        state: dict[str, Any] = dict(super().__getstate__())
        if "network_" in state:
            with TemporaryDirectory() as folder:
                path = Path(folder, "model")
                state["network_"].save(path)
                state["network_"] = path.read_bytes()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        if isinstance(state.get("network_"), bytes):
            with TemporaryDirectory() as folder:
                path = Path(folder, "model")
                path.write_bytes(state["network_"])
                state["network_"] = dnnlang.load(path, backend=state["backend"])
        super().__setstate__(state)


class DNNClassifier(ClassifierMixin, _Estimator):  # type: ignore[misc]
    """A classifier from a .dnn program: an output of one unit for two classes, or of one unit a class."""

    def __init__(
        self,
        program: str = "dim k; layer 32 relu; layer k softmax",
        *,
        params: Mapping[str, Any] | None = None,
        backend: str = "auto",
        dtype: str = "float32",
        random_state: int | None = None,
    ) -> None:
        super().__init__(program, params=params, backend=backend, dtype=dtype, random_state=random_state)

    def fit(self, X: Any, y: Any) -> DNNClassifier:
        """Train on X (m, features) and class labels y (m,)."""
        X, y = validate_data(self, X, y, dtype=self.dtype)
        check_classification_targets(y)
        self.classes_, indices = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"the classifier needs samples of at least 2 classes; y has 1 class, {self.classes_[0]!r}")
        architecture = self._compiled().architecture
        loss = architecture.losses[0].loss
        binary = len(self.classes_) == 2 and bind(architecture.nodes[architecture.outputs[0]].units, 1, {}) == {}
        if binary:
            self._train(X, indices[np.newaxis, :].astype(self.dtype), 1)
        elif loss.given:
            self._train(X, indices.astype(np.int64), len(self.classes_))
        else:
            self._train(X, np.eye(len(self.classes_), dtype=self.dtype)[:, indices], len(self.classes_))
        return self

    def predict_proba(self, X: Any) -> Array:
        """The network's output for each class, (m, classes), in the order of `classes_`."""
        A = self._forward(X)
        return np.vstack([1 - A, A]).T if len(A) == 1 else A.T

    def predict(self, X: Any) -> Array:
        """The most likely class of each row, (m,)."""
        best = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[best])


class DNNRegressor(RegressorMixin, _Estimator):  # type: ignore[misc]
    """A regressor from a .dnn program: one output unit for each target."""

    def fit(self, X: Any, y: Any) -> DNNRegressor:
        """Train on X (m, features) and targets y, (m,) or (m, targets)."""
        X, y = validate_data(self, X, y, dtype=self.dtype, multi_output=True, y_numeric=True)
        self._flat = y.ndim == 1
        Y = np.ascontiguousarray(y.reshape(len(y), -1).T, self.dtype)
        self._train(X, Y, len(Y))
        return self

    def predict(self, X: Any) -> Array:
        """The targets of each row, (m,) or (m, targets) as in `fit`."""
        A = self._forward(X).astype(np.float64)
        return A[0] if self._flat else A.T

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
