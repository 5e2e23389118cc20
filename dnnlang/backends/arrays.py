"""What callers pass as X and Y, checked and brought to one dtype. Every complaint says what would be right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dnnlang.backends.numpy.tiles import column_pieces
from dnnlang.diagnostics import Rule, rule
from dnnlang.diagnostics.suggest import closest
from dnnlang.errors import DataError
from dnnlang.scalar.expression import Expr
from dnnlang.scalar.text import number, text

Array = npt.NDArray[Any]
Data = npt.ArrayLike | Mapping[str, npt.ArrayLike]
GivenValue = Callable[[Expr, Array], Array]
"""The value of an expression in `y` for each column of an array of targets."""

GIVEN_TOLERANCE: Final = 1e-5

WRONG_SHAPE = rule(
    "DNN650",
    "wrong-shape",
    "An array does not have the shape that the network needs.",
    why="As in the lesson, a column is a sample: X is (n[0], m), the targets are (n[L], m). Tables usually have it "
    "the other way round, with a row for each sample; then pass the transpose, X.T.",
    wrong="network.forward(X)    # X: (209, 12288), n[0] = 12288",
    right="network.forward(X.T)  # X.T: (12288, 209)",
    program=False,
)
WRONG_NUMBERS = rule(
    "DNN651",
    "not-real-numbers",
    "An array holds something else than real numbers.",
    why="Networks compute with real numbers. Text has to become numbers first, one column for each category.",
    wrong='network.forward(np.array([["a"], ["b"]]))',
    right="network.forward(np.array([[0.0], [1.0]]))",
    program=False,
)
NOT_FINITE = rule(
    "DNN652",
    "array-not-finite",
    "An array holds NaN or an infinity, or a number beyond the range of the network's dtype.",
    why="One NaN spreads: the loss, every gradient and then every weight becomes NaN.",
    wrong="network.fit(X, Y)   # X[2, 7] is nan",
    right="network.fit(X[:, np.isfinite(X).all(axis=0)], …)",
    program=False,
)
WRONG_TARGETS = rule(
    "DNN653",
    "targets-not-as-given",
    "Targets do not obey what the loss is told about them, or name a class that is not there.",
    why="A loss with `given sum(y) = 1` was simplified with that equation, so for other targets its gradient would be "
    "wrong. Class numbers go from 0 to n[L] - 1.",
    wrong="network.loss(X, np.array([0, 1, 3]))   # 3 classes: 0, 1, 2",
    right="network.loss(X, np.array([0, 1, 2]))",
    program=False,
)
WRONG_NAMES = rule(
    "DNN654",
    "arrays-not-named",
    "With several inputs or targets, arrays are missing, or have names that the program does not know.",
    why="A dict says which array goes where: by the name of the input, or of the node that the loss is of.",
    wrong='network.forward({"left": A})   # the inputs are left and right',
    right='network.forward({"left": A, "right": B})',
    program=False,
)


def inputs(X: Data, units: Mapping[str, int], dtype: np.dtype[Any]) -> dict[str, Array]:
    """X by input: an array for a single input, else a dict; each (units, m). Raises DataError."""
    named = _by_name(X, {name: (name,) for name in units}, "input")
    arrays = {name: _real(given, _title("X", name, units)) for name, given in named.items()}
    for name, array in arrays.items():
        _check_columns(array, units[name], _title("X", name, units))
    _same_samples(arrays, None, "X")
    return {name: _converted(array, dtype, _title("X", name, units)) for name, array in arrays.items()}


def targets(
    Y: Data,
    units: Mapping[str, int],
    given: Mapping[str, tuple[tuple[Expr, Fraction], ...]],
    m: int,
    dtype: np.dtype[Any],
    value: GivenValue,
    nodes: Mapping[str, str],
) -> dict[str, Array]:
    """Y by target, each (units, m). Where `given` has equations, class numbers (m,) become one-hot columns.

    In a dict a target goes by its own name or by that of its node, which is in `nodes`. Raises DataError.
    """
    arrays: dict[str, Array] = {}
    for name, target in _by_name(Y, {n: (nodes[n], n) for n in units}, "target").items():
        title = _title("Y", name, units)
        array = _real(target, title)
        if array.ndim == 1 and given[name] and units[name] > 1:
            arrays[name] = _one_hot(array, units[name], dtype, title)
            continue
        if array.ndim == 1 and units[name] == 1:
            array = array.reshape(1, -1)
        _check_columns(array, units[name], title)
        arrays[name] = _converted(array, dtype, title)
        _check_given(arrays[name], given[name], value, title)
    _same_samples(arrays, m, "Y")
    return arrays


def _by_name(data: Data, keys: Mapping[str, tuple[str, ...]], what: str) -> dict[str, npt.ArrayLike]:
    """The arrays under the names of `keys`, whose values are the keys that callers may use, the usual one first."""
    if not isinstance(data, Mapping):
        if len(keys) == 1:
            return {next(iter(keys)): data}
        usual = ", ".join(key for key, *_ in keys.values())
        message = f"the program has {len(keys)} {what}s, {usual}, but one array was passed"
        raise _error(WRONG_NAMES, message, "pass a dict of arrays by these names")
    rest = {str(key): array for key, array in data.items()}
    found: dict[str, npt.ArrayLike] = {}
    for name, (usual, *others) in keys.items():
        key = next((k for k in (usual, *others) if k in rest), None)
        if key is None:
            near = closest(usual, rest)
            advice = (
                f"did you mean `{usual}` where `{near}` stands?" if near is not None else f"add `{usual}` to the dict"
            )
            raise _error(WRONG_NAMES, f"the {what} {usual} is missing", advice)
        found[name] = rest.pop(key)
    if rest:
        known = ", ".join(key for key, *_ in keys.values())
        raise _error(WRONG_NAMES, f"there is no {what} {next(iter(rest))}", f"the {what}s are {known}")
    return found


def _title(letter: str, name: str, names: Mapping[str, object]) -> str:
    if len(names) == 1:
        return letter
    return name if name.startswith("Y[") else f"{letter}[{name}]"


def _real(data: npt.ArrayLike, title: str) -> Array:
    try:
        array = np.asarray(data)
    except ValueError:
        raise _error(WRONG_SHAPE, f"{title} is not an array: its rows have different lengths", None) from None
    if array.dtype.kind not in "fiub":
        raise _error(WRONG_NUMBERS, f"{title} holds {_kind(array)}, not real numbers", "convert it: X.astype(float)")
    return array


def _kind(array: Array) -> str:
    return {"U": "text", "S": "bytes", "c": "complex numbers", "O": "Python objects", "M": "dates"}.get(
        array.dtype.kind, str(array.dtype)
    )


def _check_columns(array: Array, units: int, title: str) -> None:
    expected = f"({units}, m), a column for each sample"
    shown = title if title.isidentifier() else "it"
    if array.ndim != 2:
        advice = f"for a single sample: {shown}.reshape(-1, 1)" if array.shape == (units,) else None
        raise _error(WRONG_SHAPE, f"{title} is {_shape(array)}, expected {expected}", advice)
    if array.shape[0] != units and array.shape[1] == units:
        message = f"{title} is {_shape(array)}, expected {expected}: it is the wrong way round"
        raise _error(WRONG_SHAPE, message, f"pass {title}.T")
    if array.shape[0] != units:
        advice = f"give {units} rows, one for each unit; samples stand side by side"
        raise _error(WRONG_SHAPE, f"{title} is {_shape(array)}, expected {expected}", advice)
    if array.shape[1] == 0:
        raise _error(WRONG_SHAPE, f"{title} is {_shape(array)}: it holds no samples", None)


def _shape(array: Array) -> str:
    return f"({', '.join(map(str, array.shape))}{',' if array.ndim == 1 else ''})"


def _same_samples(arrays: Mapping[str, Array], m: int | None, letter: str) -> None:
    for name, array in arrays.items():
        if m is None:
            m = array.shape[1]
        if array.shape[1] != m:
            title = _title(letter, name, arrays)
            raise _error(
                WRONG_SHAPE,
                f"{title} has {array.shape[1]} samples, but X has {m}",
                "samples are columns, as many as in X",
            )


def _converted(array: Array, dtype: np.dtype[Any], title: str) -> Array:
    with np.errstate(over="ignore"):
        made = array.astype(dtype, copy=False)
    if not _all_finite(made):
        at = tuple(int(i) for i in np.argwhere(~np.isfinite(made))[0])
        raise _error(
            NOT_FINITE,
            f"{title}[{', '.join(map(str, at))}] is {array[at]}"
            + (f", too large for {dtype}" * bool(np.isfinite(array[at]))),
            "remove such samples, or fill the gaps",
        )
    if not (made.flags.c_contiguous or made.flags.f_contiguous):
        made = np.ascontiguousarray(made)  # a product of anything else would fall back to slow loops
    return made


def _all_finite(array: Array) -> bool:
    """NaN and infinities do not get lost in a sum, which needs no room, unlike a flag for every entry."""
    with np.errstate(all="ignore"):
        total = np.add.reduce(array, axis=None)
    return bool(np.isfinite(total) or np.isfinite(array).all())  # a sum may be too large where no entry is


def _one_hot(classes: Array, units: int, dtype: np.dtype[Any], title: str) -> Array:
    if classes.dtype.kind == "f" and not (np.floor(classes) == classes).all():
        raise _error(WRONG_TARGETS, f"{title} holds class numbers that are not whole", f"pass 0 to {units - 1}")
    if len(classes) == 0:
        raise _error(WRONG_SHAPE, f"{title} is (0,): it holds no samples", None)
    low, high = classes.min(), classes.max()
    if low < 0 or high >= units:
        wrong = low if low < 0 else high
        message = f"{title} names class {wrong:g}, but there are {units}: 0 to {units - 1}"
        raise _error(WRONG_TARGETS, message, "number the classes from 0")
    made = np.zeros((units, len(classes)), dtype)
    made[classes.astype(np.intp), np.arange(len(classes))] = 1
    return made


def _check_given(array: Array, equations: tuple[tuple[Expr, Fraction], ...], value: GivenValue, title: str) -> None:
    for expr, right in equations:
        for piece in column_pieces(array.shape):
            off = np.abs(value(expr, array[piece]) - float(right))
            if off.max() > GIVEN_TOLERANCE:
                column = piece[1].start + int(np.argmax(off.max(axis=0)))
                message = f"column {column} of {title} does not obey `{text(expr, matrix=False)} = {number(right)}`"
                advice = "pass a distribution a column (one-hot columns), or class numbers (m,)"
                raise _error(WRONG_TARGETS, message, advice)


def _error(broken: Rule, message: str, help: str | None) -> DataError:
    return DataError(broken.at(None, message, help=help))
