"""Which samples are held out for validation."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from dnnlang.errors import DataError
from dnnlang.training import data_rules as rules
from dnnlang.training.order import SPLIT, Indices, shuffled


def split(
    count: int, fraction: Fraction, seed: int, classes: NDArray[np.int64] | None = None
) -> tuple[Indices, Indices]:
    """Indices to train on and indices held out, both ascending.

    With `classes` (m,) each class is held out in proportion, to within one sample (largest remainders
    first, so that the total is that of a plain split). Raises DataError where a part would be empty.
    """
    if not fraction:
        return np.arange(count), np.arange(0)
    wanted = round(fraction * count)
    if not 0 < wanted < count:
        raise DataError(
            rules.SPLIT.at(
                None,
                f"`validation {float(fraction):g}` of {count} row{'' if count == 1 else 's'} leaves "
                + ("nothing to validate on" if wanted == 0 else "nothing to train on"),
                help="choose another fraction, or `validation 0`",
            )
        )
    order = shuffled(count, seed, SPLIT)
    held = order[:wanted] if classes is None else _stratified(order, classes[order], fraction, wanted)
    mask = np.zeros(count, bool)
    mask[held] = True
    return np.nonzero(~mask)[0], np.nonzero(mask)[0]


def _stratified(order: Indices, classes: NDArray[np.int64], fraction: Fraction, wanted: int) -> Indices:
    names, sizes = np.unique(classes, return_counts=True)
    shares = [fraction * int(size) for size in sizes]
    quota = [int(share) for share in shares]
    by_remainder = sorted(range(len(names)), key=lambda i: (quota[i] - shares[i], i))
    for i in by_remainder[: wanted - sum(quota)]:
        quota[i] += 1
    return np.concatenate([order[classes == name][:take] for name, take in zip(names, quota, strict=True)])
