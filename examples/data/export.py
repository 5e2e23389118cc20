"""Writes iris.csv, digits.csv and breast_cancer.csv next to this script, out of scikit-learn's copies of them.

    python -m venv venv && venv/bin/pip install scikit-learn && venv/bin/python export.py

Rows keep the original order and every number its original value: nothing is scaled, shuffled or left out.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from sklearn.datasets import load_breast_cancer, load_digits, load_iris

HERE = Path(__file__).parent


def number(value: float) -> str:
    """The shortest text that reads back as `value`; whole numbers without a point."""
    return str(int(value)) if value == int(value) else repr(float(value))


def write(name: str, header: Sequence[str], rows: Iterable[Sequence[float]], targets: Iterable[str]) -> None:
    """`name` with one line a sample: its features, then its target."""
    with (HERE / name).open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(header)
        out.writerows([*map(number, row), target] for row, target in zip(rows, targets, strict=True))


def column(feature: str) -> str:
    """`sepal length (cm)` → `sepal_length`; the three groups of breast_cancer read `mean_…`, `error_…`, `worst_…`."""
    words = feature.removesuffix(" (cm)").split()
    if words[-1] == "error":
        words = ["error", *words[:-1]]
    return "_".join(words)


def main() -> None:
    iris = load_iris()
    species = [str(iris.target_names[t]) for t in iris.target]
    write("iris.csv", [*map(column, iris.feature_names), "species"], iris.data, species)

    digits = load_digits()
    pixels = [f"p{i}" for i in range(64)]
    write("digits.csv", [*pixels, "digit"], digits.data, [str(t) for t in digits.target])

    cancer = load_breast_cancer()
    diagnoses = [str(cancer.target_names[t]) for t in cancer.target]
    write("breast_cancer.csv", [*map(column, cancer.feature_names), "diagnosis"], cancer.data, diagnoses)


if __name__ == "__main__":
    main()
