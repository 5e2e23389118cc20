"""Splits, orders, schedules, metrics and files: each against what its definition says."""

from __future__ import annotations

import math
import os
from fractions import Fraction

import numpy as np
import pytest

from dnnlang.errors import DataError
from dnnlang.graph.architecture import Schedule
from dnnlang.training.atomic import refusal, write_bytes, write_text
from dnnlang.training.metrics import ClassAccuracy, Deviation, TwoValueAccuracy, metric_for, strata
from dnnlang.training.order import SHUFFLE, SPLIT, shuffled
from dnnlang.training.schedules import learning_rate
from dnnlang.training.split import split

# ---------------------------------------------------------------- orders


def test_orders_are_permutations_that_depend_on_seed_purpose_and_counter():
    orders = [
        shuffled(50, seed, purpose, epoch)
        for seed, purpose, epoch in [(0, SHUFFLE, 0), (1, SHUFFLE, 0), (0, SPLIT, 0), (0, SHUFFLE, 1)]
    ]
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4
    assert (shuffled(50, 0, SHUFFLE, 0) == orders[0]).all()


def test_order_is_the_same_in_every_version():
    assert shuffled(8, 3, SHUFFLE, 2).tolist() == ORDER


ORDER = [5, 3, 0, 1, 4, 6, 2, 7]


def test_negative_and_large_seeds():
    assert len(shuffled(5, -1, SHUFFLE)) == len(shuffled(5, 2**70, SHUFFLE)) == 5


# ---------------------------------------------------------------- splits


def test_split_is_a_partition_of_the_asked_size():
    kept, held = split(103, Fraction(1, 5), 7)
    assert sorted([*kept, *held]) == list(range(103))
    assert len(held) == 21


def test_stratified_split_keeps_the_proportions():
    classes = np.array([0] * 60 + [1] * 30 + [2] * 13)
    _, held = split(103, Fraction(1, 5), 0, classes)
    counts = np.bincount(classes[held])
    assert counts.tolist() in ([12, 6, 3], [12, 6, 2])
    assert len(held) == 21


def test_no_validation_trains_on_all():
    kept, held = split(5, Fraction(0), 0)
    assert kept.tolist() == [0, 1, 2, 3, 4]
    assert len(held) == 0


@pytest.mark.parametrize(("count", "fraction"), [(1, Fraction(1, 5)), (2, Fraction(1, 10)), (3, Fraction(99, 100))])
def test_a_split_that_leaves_nothing_is_refused(count, fraction):
    with pytest.raises(DataError, match="DNN613"):
        split(count, fraction, 0)


# ---------------------------------------------------------------- schedules


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("constant", {}, [0.1] * 6),
        ("step", {"every": 2, "factor": 0.5}, [0.1, 0.1, 0.05, 0.05, 0.025, 0.025]),
        ("exponential", {"base": 0.9}, [0.1 * 0.9**e for e in range(6)]),
        ("inverse", {"decay": 2}, [0.1 / (1 + 2 * e) for e in range(6)]),
        ("cosine", {"warmup": 0}, [0.05 * (1 + math.cos(math.pi * e / 6)) for e in range(6)]),
        ("cosine", {"warmup": 2}, [0.1 / 3, 0.2 / 3, *(0.05 * (1 + math.cos(math.pi * e / 4)) for e in range(4))]),
    ],
)
def test_schedules(name, options, expected):
    schedule = Schedule(name, tuple((key, Fraction(str(value))) for key, value in options.items()))
    assert [learning_rate(schedule, 0.1, e, 6) for e in range(6)] == pytest.approx(expected)


# ---------------------------------------------------------------- metrics


def test_accuracy_of_classes_over_batches():
    metric = metric_for(np.array([0, 1, 2]), 3, distribution=True)
    assert isinstance(metric, ClassAccuracy)
    metric.add(np.eye(3), np.array([0, 1, 1]))
    metric.add(np.eye(3)[:, :1], np.array([0]))
    assert metric.values() == {"accuracy": 0.75}


@pytest.mark.parametrize("low", [0.0, -1.0])
def test_accuracy_of_two_values(low):
    Y = np.array([[low, 1.0, 1.0, low]])
    metric = metric_for(Y, 1, distribution=False)
    assert isinstance(metric, TwoValueAccuracy)
    middle = (low + 1) / 2
    metric.add(np.array([[middle - 0.1, middle + 0.1, middle - 0.1, middle - 9]]), Y)
    assert metric.values() == {"accuracy": 0.75}


def test_one_hot_targets_of_any_loss_are_classes():
    assert isinstance(metric_for(np.eye(4), 4, distribution=False), ClassAccuracy)
    assert isinstance(metric_for(np.array([[1.0, 1], [1, 0]]), 2, distribution=False), TwoValueAccuracy)


def test_deviation_over_batches_is_that_of_the_whole():
    random = np.random.default_rng(0)
    Y = random.normal(size=(2, 90)) * 5 + np.array([[1e6], [3]])
    A = Y + random.normal(size=Y.shape)
    metric = metric_for(Y, 2, distribution=False)
    assert isinstance(metric, Deviation)
    for start in range(0, 90, 20):
        metric.add(A[:, start : start + 20], Y[:, start : start + 20])
    spread = ((Y - Y.mean(axis=1, keepdims=True)) ** 2).sum()
    assert metric.values()["rmse"] == pytest.approx(np.sqrt(np.mean((A - Y) ** 2)))
    assert metric.values()["r2"] == pytest.approx(1 - ((A - Y) ** 2).sum() / spread)
    assert metric.fresh().values()["rmse"] != metric.fresh().values()["rmse"]  # NaN: nothing seen


def test_strata():
    assert strata(np.array([2, 0, 1]), 3, distribution=True).tolist() == [2, 0, 1]
    assert strata(np.array([[0.0, 1, 1]]), 1, distribution=False).tolist() == [0, 1, 1]
    assert strata(np.array([[0.5, 1, 1.5]]), 1, distribution=False) is None


# ---------------------------------------------------------------- atomic files


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail(file):
        file.write(b"half")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_bytes(path, fail)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_the_mode_of_the_file_is_kept_and_links_stay_links(tmp_path):
    real, link = tmp_path / "real.txt", tmp_path / "link.txt"
    real.write_text("old")
    real.chmod(0o640)
    link.symlink_to(real)
    write_text(link, "new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert real.stat().st_mode & 0o777 == 0o640


def test_a_new_file_has_the_usual_mode(tmp_path):
    write_text(tmp_path / "ours", "x")
    (tmp_path / "usual").write_text("x")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_refusals_are_found_before_writing(tmp_path):
    (tmp_path / "file").write_text("x")
    assert refusal(tmp_path / "new") is None
    assert "folder" in (refusal(tmp_path) or "")
    assert "no folder" in (refusal(tmp_path / "none" / "x") or "")
    assert "not a folder" in (refusal(tmp_path / "file" / "x") or "")
