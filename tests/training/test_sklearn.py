"""The scikit-learn estimators."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from dnnlang.errors import DataError
from dnnlang.sklearn import DNNClassifier, DNNRegressor

SETTINGS = "\ntrain { epochs 60; batch 16; learning_rate 0.02 }"


def blobs(classes: int):
    random = np.random.default_rng(0)
    y = np.arange(120) % classes
    angle = 2 * np.pi * y / classes
    X = 3 * np.stack([np.cos(angle), np.sin(angle)]).T + random.normal(size=(120, 2)) * 0.5
    return X, np.array(["red", "green", "blue"])[y]


@pytest.mark.parametrize(
    ("classes", "program"),
    [(3, "layer 3 softmax"), (3, "layer 3\nloss mse"), (2, "layer 1 sigmoid"), (2, "layer 2 softmax")],
)
def test_classifier(classes, program):
    X, y = blobs(classes)
    model = DNNClassifier("layer 8 relu; " + program + SETTINGS).fit(X, y)
    assert model.score(X, y) > 0.95
    assert model.predict_proba(X).shape == (120, classes)
    assert set(model.predict(X)) <= set(y)
    assert model.n_features_in_ == 2


def test_regressor():
    random = np.random.default_rng(0)
    X = random.normal(size=(100, 3))
    y = X @ [1.0, 2.0, -1.0]
    model = DNNRegressor("layer 1" + SETTINGS, dtype="float64").fit(X, y)
    assert model.score(X, y) > 0.99
    assert model.predict(X).shape == (100,)
    both = DNNRegressor("layer 2" + SETTINGS).fit(X, np.stack([y, -y]).T)
    assert both.predict(X).shape == (100, 2)


def test_clone_and_parameters():
    model = DNNClassifier("param w = 4\nlayer w; layer 1 sigmoid", params={"w": 6}, random_state=3)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert copy.set_params(random_state=4).random_state == 4


def test_random_state_decides_everything():
    X, y = blobs(3)

    def weights(state):
        model = DNNClassifier("layer 8 relu; layer 3 softmax" + SETTINGS, random_state=state)
        return model.fit(X, y).network_.parameters["W[1]"]

    assert np.array_equal(weights(1), weights(1))
    assert not np.array_equal(weights(1), weights(2))


def test_pipelines_and_cross_validation(tmp_path):
    (tmp_path / "m.dnn").write_text("layer 8 relu; layer 3 softmax" + SETTINGS)
    X, y = blobs(3)
    model = make_pipeline(StandardScaler(), DNNClassifier(str(tmp_path / "m.dnn")))
    assert cross_val_score(model, X * 100, y, cv=3).min() > 0.9


def test_what_does_not_fit():
    X, y = blobs(3)
    with pytest.raises(DataError, match="4 units"):
        DNNClassifier("layer 4 softmax").fit(X, y)
    with pytest.raises(DataError, match="5 units"):
        DNNClassifier("input 5; layer 3 softmax").fit(X, y)
    with pytest.raises(ValueError, match="1 class"):
        DNNClassifier("layer 1 sigmoid").fit(X, np.zeros(120))
    with pytest.raises(ValueError, match="features"):
        DNNClassifier("layer 3 softmax" + SETTINGS).fit(X, y).predict(X[:, :1])


@pytest.mark.slow
@pytest.mark.parametrize("kind", [DNNClassifier, DNNRegressor])
@pytest.mark.filterwarnings("ignore")
def test_what_scikit_learn_asks_of_every_estimator(kind):
    output = "layer k softmax" if kind is DNNClassifier else "layer k"
    program = f"dim k; layer 16 relu; {output}\ntrain {{ epochs 60; learning_rate 0.01 }}"
    found = check_estimator(kind(program, dtype="float64"), on_fail=None)
    assert [check for check in found if check["status"] == "failed"] == []


def test_pickles():
    X, y = blobs(3)
    model = DNNClassifier("layer 8 relu; layer 3 softmax" + SETTINGS).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))
