"""Expressions that need a whole column: loops over its units, one for all reductions that can be made together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from dnnlang.backends.native.entrywise import Entries
from dnnlang.backends.native.operands import Operands
from dnnlang.backends.native.writing import Writing
from dnnlang.errors import InternalError
from dnnlang.primitives.values import Value
from dnnlang.scalar.expression import COLUMNWISE, REDUCTIONS, Expr, apply, constant, topological, variable

_FIRSTS: Final = {"first_max": "max", "first_min": "min"}
_STEPS: Final = {
    "sum": ("splat(0)", "{0} + {1}"),
    "max": ("splat(-INFINITY)", "vmax({0}, {1})"),
    "min": ("splat(INFINITY)", "vmin({0}, {1})"),
}
"""What a reduction begins with, and how the number of one more unit joins it."""


class ColumnLoops:
    """C lines for one vector of samples, from sample j on: `lines` make what the column shares."""

    def __init__(self, expr: Expr, operands: Mapping[str, Value], w: Writing, o: Operands, units: int) -> None:
        self.lines: list[str] = []
        self._expr = _in_plain_reductions(expr)
        self._operands, self._w, self._o, self._units = operands, w, o, units
        self._shared: dict[Expr, Expr] = {}  # a reduction → the variable that stands for it
        self._names: dict[str, str] = {}  # such a variable → that of the C text
        for together in _levels(self._expr):
            self._loop(together)

    def over_units(self, use: Callable[[str], Sequence[str]], rows: int) -> list[str]:
        """The loop in which `use` writes what becomes of the result for unit i."""
        entries, result = self._entry(self._expr)
        lines = [*entries.lines, *use(result)]
        return [f"for (int64_t i = 0; i < {rows}; ++i) {{", *(f"    {line}" for line in lines), "}"]

    def shared(self) -> str:
        """The C variable of a result that is one number a column; its lines are in `lines` then."""
        entries, result = self._entry(self._expr)
        self.lines += entries.lines
        return result

    def _loop(self, together: Sequence[Expr]) -> None:
        entries = Entries(self._w, self._o, "i", "j")
        before: list[str] = []
        within: list[str] = []
        shared: dict[Expr, str] = {}
        for e in together:
            name = shared[e] = self._w.fresh()
            of = e.args[0]
            if e.op in _FIRSTS:
                self._first(e, name, entries, before, within)
                continue
            start, step = _STEPS[e.op]
            before.append(f"vec {name} = {start};")
            lines, result = self._evaluated(of, entries)
            within += [*lines, f"{name} = {step.format(name, result)};"]
        loop = [f"for (int64_t i = 0; i < {self._units}; ++i) {{", *(f"    {line}" for line in within), "}"]
        self.lines += [*before, *loop]
        for e, name in shared.items():
            stands = variable(f"column {e.id}", per_unit=False)
            self._shared[e] = stands
            self._names[f"column {e.id}"] = name

    def _first(self, e: Expr, name: str, entries: Entries, before: list[str], within: list[str]) -> None:
        """The number of the first unit that reaches the extremum; -1 if a unit is NaN."""
        best = self._w.fresh()
        better = "less({0}, {1})" if e.op == "first_max" else "less({1}, {0})"
        start = _STEPS[_FIRSTS[e.op]][0]
        before += [f"vec {best} = {start}, {name} = splat(0);"]
        lines, result = self._evaluated(e.args[0], entries)
        hit, step = self._w.fresh(), _STEPS[_FIRSTS[e.op]][1].format(best, result)
        within += [
            *lines,
            f"ivec {hit} = {better.format(best, result)};",
            f"{name} = pick(is_nan({result}), splat(-1), pick({hit}, splat((real)i), {name}));",
            f"{best} = {step};",
        ]

    def _evaluated(self, e: Expr, entries: Entries) -> tuple[list[str], str]:
        """The lines that make `e` for unit i, without those that `entries` has already."""
        done = len(entries.lines)
        result = self._into(e, entries)
        return entries.lines[done:], result

    def _entry(self, e: Expr) -> tuple[Entries, str]:
        entries = Entries(self._w, self._o, "i" if e.per_unit else "0", "j")
        return entries, self._into(e, entries)

    def _into(self, e: Expr, entries: Entries) -> str:
        entrywise = self._replaced(e)
        names = dict(self._names)
        for x in topological(entrywise):
            if x.name is not None and x.name in self._operands:
                names[x.name] = entries.load(self._operands[x.name])
        return entries.expression(entrywise, names, str(self._units))

    def _replaced(self, expr: Expr) -> Expr:
        """`expr` with the variables that stand for reductions."""
        new: dict[Expr, Expr] = {}
        for e in topological(expr):
            if e in self._shared and e.op in _FIRSTS:
                new[e] = apply("equal", variable("unit"), self._shared[e])
                self._names["unit"] = "splat((real)i)"
            elif e in self._shared:
                new[e] = self._shared[e]
            elif any(new[a] is not a for a in e.args):
                new[e] = apply(e.op, *(new[a] for a in e.args))
            else:
                new[e] = e
        return new[expr]


@lru_cache(maxsize=1024)
def _in_plain_reductions(expr: Expr) -> Expr:
    """`expr` in sums, extrema and first extremal units, each shifted so that nothing overflows."""
    new: dict[Expr, Expr] = {}
    for e in topological(expr):
        args = [new[a] for a in e.args]
        rewrite = _REWRITES.get(e.op)
        if rewrite is not None:
            new[e] = rewrite(args[0])
        elif e.op in COLUMNWISE and e.op not in _FIRSTS:
            raise InternalError(f"the operation {e.op} is not implemented by the native backend")
        elif any(n is not a for n, a in zip(args, e.args, strict=True)):
            new[e] = apply(e.op, *args)
        else:
            new[e] = e
    return new[expr]


def _shifted(x: Expr) -> Expr:
    return apply("add", x, apply("negate", apply("max", x)))


def _normalized(x: Expr) -> Expr:
    e = apply("exp", _shifted(x))
    return apply("divide", e, apply("sum", e))


def _log_normalized(x: Expr) -> Expr:
    """(x - largest) - log(1 + the rest of Σ e^(x - largest)): near 0 where one unit has it all."""
    rest = apply("add", apply("exp", _shifted(x)), apply("negate", apply("first_max", x)))
    return apply("add", _shifted(x), apply("negate", apply("log1p", apply("sum", rest))))


def _logsumexp(x: Expr) -> Expr:
    """Shifted by the largest entry, unless that is infinite and the result with it."""
    largest = apply("max", x)
    finite = apply("less", apply("multiply", apply("abs", largest), constant(0)), constant(1))  # ∞ · 0 is NaN
    shift = apply("where", finite, largest, constant(0))
    total = apply("sum", apply("exp", apply("add", x, apply("negate", shift))))
    return apply("add", apply("log", total), shift)


_REWRITES: Final[dict[str, Callable[[Expr], Expr]]] = {
    "mean": lambda x: apply("divide", apply("sum", x), apply("units")),
    "normalized_exp": _normalized,
    "log_normalized_exp": _log_normalized,
    "logsumexp": _logsumexp,
}


@lru_cache(maxsize=1024)
def _levels(expr: Expr) -> tuple[tuple[Expr, ...], ...]:
    """The reductions in an expression; those of a level need only such of lower ones."""
    level: dict[Expr, int] = {}
    found: dict[int, list[Expr]] = {}
    for e in topological(expr):
        of_args = max((level[a] for a in e.args), default=0)
        level[e] = of_args
        if e.op in REDUCTIONS or e.op in _FIRSTS:
            level[e] = of_args + 1
            found.setdefault(of_args, []).append(e)
    return tuple(tuple(found[n]) for n in sorted(found))
