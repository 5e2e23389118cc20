"""Params: evaluated in any order, overridden from outside, their defaults checked against their domains."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import SupportsIndex

from dnnlang.diagnostics import Diagnostic, Diagnostics, Edit, Fix, Label, rule
from dnnlang.diagnostics.suggest import closest
from dnnlang.graph.reader import Reader, decimal
from dnnlang.graph.scope import DimEntry, ParamEntry, Scope
from dnnlang.graph.solver import Conflict
from dnnlang.graph.values import whole
from dnnlang.graph.walk import names_in
from dnnlang.sizes import LIMIT, Size
from dnnlang.source import Span
from dnnlang.syntax.tree import Choices, DimStatement, Expression, InputStatement, ParamStatement, Range, Tree

PARAM_CYCLE = rule(
    "DNN113",
    "param-cycle",
    "A param is defined by itself, directly or through others.",
    why="A param is a number that is computed before anything else; one that needs itself has no value.",
    wrong="param a = b + 1\nparam b = a - 1\nlayer a relu\nlayer 1 sigmoid\n",
    right="param b = 4\nparam a = b + 1\nlayer a relu\nlayer 1 sigmoid\n",
)
OUTSIDE_DOMAIN = rule(
    "DNN114",
    "default-outside-domain",
    "The default of a param is not in its domain.",
    why="The domain is what a search may try; a default outside it is a misprint in one of the two.",
    wrong="param width = 48 in {32, 64, 128}\nlayer width relu\nlayer 1 sigmoid\n",
    right="param width = 64 in {32, 64, 128}\nlayer width relu\nlayer 1 sigmoid\n",
)
BAD_DOMAIN = rule(
    "DNN115",
    "wrong-domain",
    "A domain that holds nothing, or a logarithmic range that does not start above 0.",
    why="A search could try no value of it.",
    wrong="param depth = 3 in 5 .. 1\nlayer depth relu\nlayer 1 sigmoid\n",
    right="param depth = 3 in 1 .. 5\nlayer depth relu\nlayer 1 sigmoid\n",
)
UNKNOWN_OVERRIDE = rule(
    "DNN116",
    "unknown-override",
    "A value was given from outside for a name that the program does not have.",
    why="`-D NAME=VALUE` (in Python `params=` and `sizes=`) sets a param, a dim or an input size that the program "
    "leaves open. A name that it does not have would be ignored without a word.",
    wrong="dnnc check -D widht=128 net.dnn",
    right="dnnc check -D width=128 net.dnn",
    program=False,
)
WRONG_OVERRIDE = rule(
    "DNN117",
    "wrong-override",
    "A value given from outside is not a number, or no size.",
    why="A param is a number; a dim and an input size are whole numbers of at least 1.",
    wrong="dnnc check -D width=wide net.dnn",
    right="dnnc check -D width=128 net.dnn",
    program=False,
)

_NUMBER = re.compile(r"[+-]?(\d[\d_]*(\.\d[\d_]*)?|\.\d[\d_]*)([eE][+-]?\d{1,4})?")
_INPUT_SIZE = re.compile(r"n\[(?:0|[A-Za-z_][A-Za-z0-9_]*)\]")

Number = int | float | Fraction | str


def evaluate_params(
    statements: Iterable[ParamStatement], reader: Reader, overrides: Mapping[str, Number]
) -> dict[str, Fraction]:
    """Give every ParamEntry of the scope its value; the values used, in order of declaration."""
    own = {s.name.id: s for s in statements if _declares(s, reader.scope)}
    given = _overrides(own, overrides, reader)
    for name in _in_order(own, reader.found):
        entry = reader.scope.entries[name]
        assert isinstance(entry, ParamEntry)
        default = reader.number(own[name].value)
        if default is not None:
            _check_domain(own[name], default, reader)
        value = given.get(name, default)
        entry.value = whole(value) if value is not None else None
    values: dict[str, Fraction] = {}
    for name in own:
        entry = reader.scope.entries[name]
        if isinstance(entry, ParamEntry) and entry.value is not None:
            values[name] = Fraction(entry.value)
    return values


def bind(
    tree: Tree, defines: Mapping[str, str], found: Diagnostics
) -> tuple[dict[str, int | float | Fraction | str], dict[str, int]]:
    """Which of `-D NAME=VALUE` set params, and which sizes: the two mappings that `build` takes."""
    params = {s.name.id for s in tree.statements if isinstance(s, ParamStatement)}
    sizes = _size_names(tree)
    chosen: dict[str, int | float | Fraction | str] = {}
    bound: dict[str, int] = {}
    for name, text in defines.items():
        key = "".join(name.split())
        if key in params:
            chosen[key] = text
        elif key in sizes:
            size = read_size(key, text, found)
            if size is not None:
                bound[key] = size
        else:
            found.add(unknown_override(name, [*params, *sizes]))
    return chosen, bound


def read_size(name: str, value: object, found: Diagnostics) -> int | None:
    """A size given from outside."""
    number = _number(value)
    if number is not None and number.denominator == 1 and 1 <= number < LIMIT:
        return number.numerator
    found.add(
        WRONG_OVERRIDE.at(
            None,
            f"`{name}` is a size, a whole number of at least 1, and cannot be {_shown(value)}",
            help=f"write `-D {name}=64`",
        )
    )
    return None


def read_sizes(tree: Tree, sizes: Mapping[str, object], found: Diagnostics) -> dict[str, int]:
    """The sizes given to `build`, each checked to be one that the program has."""
    known = _size_names(tree)
    read: dict[str, int] = {}
    for name, value in sizes.items():
        if name not in known:
            found.add(unknown_override(name, known))
            continue
        size = read_size(name, value, found)
        if size is not None:
            read[name] = size
    return read


def override_conflict(name: str, setting: str, span: Span) -> Conflict:
    """The diagnostic of a size that was given from outside and that the program contradicts."""

    def conflict(left: Size, _right: Size) -> Diagnostic:
        return WRONG_OVERRIDE.at(span, f"`{setting}` does not fit: {name} is {left}", help=f"leave `{setting}` out")

    return conflict


def unknown_override(name: str, known: list[str]) -> Diagnostic:
    near = closest(name, known)
    listed = ", ".join(f"`{k}`" for k in known[:8])
    advice = f"did you mean `{near}`?" if near is not None else f"there are {listed}" if listed else None
    return UNKNOWN_OVERRIDE.at(None, f"the program has no param, dim or open size `{name}`", help=advice)


def _size_names(tree: Tree) -> list[str]:
    """Dims, and the names that input sizes have."""
    names = [s.name.id for s in tree.statements if isinstance(s, DimStatement)]
    inputs = [s for s in tree.statements if isinstance(s, InputStatement)]
    if len(inputs) < 2:
        return [*names, "n[0]"]
    return [*names, *(f"n[{s.alias.id if s.alias is not None else f'input[{i}]'}]" for i, s in enumerate(inputs, 1))]


def _declares(statement: ParamStatement, scope: Scope) -> bool:
    """Is this the first declaration of the name? A second one was reported."""
    entry = scope.entries.get(statement.name.id)
    return isinstance(entry, ParamEntry) and entry.span == statement.name.span


def _overrides(
    own: Mapping[str, ParamStatement], overrides: Mapping[str, Number], reader: Reader
) -> dict[str, Fraction]:
    values: dict[str, Fraction] = {}
    for name, given in overrides.items():
        if name not in own:
            entry = reader.scope.find(name)
            known = list(own)
            advice = "sizes are bound by `sizes=`" if isinstance(entry, DimEntry) else None
            diagnostic = unknown_override(name, known)
            reader.found.add(
                diagnostic if advice is None else UNKNOWN_OVERRIDE.at(None, diagnostic.message, help=advice)
            )
            continue
        value = _number(given)
        if value is None:
            reader.found.add(
                WRONG_OVERRIDE.at(
                    None, f"`{name}` is a param, a number, and cannot be {_shown(given)}", help=f"write `-D {name}=64`"
                )
            )
            continue
        values[name] = value
        entry = reader.scope.entries[name]
        assert isinstance(entry, ParamEntry)
        entry.set_by = f"-D {name}={decimal(value)}"
    return values


def _number(value: object) -> Fraction | None:
    """A number given from outside, exactly as written; None if it is none, or too large."""
    if isinstance(value, float):
        value = repr(value)  # 0.1 means one tenth
    number: Fraction | None = None
    if isinstance(value, str):
        text = value.strip()
        if len(text) <= 100 and _NUMBER.fullmatch(text) is not None and _exponent(text) < 400:
            number = Fraction(text.replace("_", ""))
    elif isinstance(value, Fraction):
        number = value
    elif isinstance(value, SupportsIndex) and not isinstance(value, bool):  # NumPy's integers too
        number = Fraction(value.__index__())
    return number if number is not None and abs(number) < LIMIT else None


def _exponent(text: str) -> int:
    _, _, exponent = text.lower().partition("e")
    return abs(int(exponent)) if exponent else 0


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 40 else text[:39] + "…"


def _in_order(own: Mapping[str, ParamStatement], found: Diagnostics) -> list[str]:
    """Params such that each comes after those it uses; a cycle is reported, and its params stay without a value."""
    needs = {name: [n.id for n in names_in(s.value) if n.id in own] for name, s in own.items()}
    for name, statement in own.items():
        if statement.domain is not None:
            bounds = _domain_expressions(statement.domain)
            needs[name].extend(n.id for e in bounds for n in names_in(e) if n.id in own and n.id != name)
    done: list[str] = []
    state: dict[str, str] = {}
    for start in own:
        path = [start]
        while path:
            name = path[-1]
            if state.get(name) in ("done", "cyclic"):
                path.pop()
                continue
            state[name] = "open"
            following = next((n for n in needs[name] if state.get(n) not in ("done", "cyclic")), None)
            if following is None:
                path.pop()
                state[name] = "cyclic" if any(state.get(n) == "cyclic" for n in needs[name]) else "done"
                if state[name] == "done":
                    done.append(name)
            elif state.get(following) == "open":
                circle = path[path.index(following) :]
                found.add(_cycle(circle, own))
                state.update(dict.fromkeys(circle, "cyclic"))
            else:
                path.append(following)
    return done


def _cycle(circle: list[str], own: Mapping[str, ParamStatement]) -> Diagnostic:
    first = own[circle[0]]
    chain = " → ".join([*circle, circle[0]])
    labels = [
        Label(own[name].name.span, f"`{name}` uses `{after}`")
        for name, after in zip(circle, [*circle[1:], circle[0]], strict=True)
    ]
    return PARAM_CYCLE.at(
        first.name.span,
        f"the param `{circle[0]}` is defined by itself: {chain}",
        labels=labels,
        help="give one of them a number",
    )


def _domain_expressions(domain: Choices | Range) -> tuple[Expression, ...]:
    return domain.values if isinstance(domain, Choices) else (domain.first, domain.last)


def _check_domain(statement: ParamStatement, default: Fraction, reader: Reader) -> None:
    domain = statement.domain
    if domain is None:
        return
    values = [reader.number(e) for e in _domain_expressions(domain)]
    known = [v for v in values if v is not None]
    if len(known) < len(values):
        return
    if isinstance(domain, Choices):
        inside = default in known
    else:
        first, last = known
        if first > last or (domain.logarithmic and first <= 0):
            reader.found.add(_bad_range(domain, first, last))
            return
        inside = first <= default <= last
    if inside:
        return
    reader.found.add(
        OUTSIDE_DOMAIN.at(
            statement.value.span,
            f"the default of `{statement.name.id}` is {decimal(default)}, which is not in its domain",
            labels=[Label(domain.span, f"the domain is {text_of_domain(domain)}")],
            help=_nearest(statement, domain, known, default),
        )
    )


def _bad_range(domain: Range, first: Fraction, last: Fraction) -> Diagnostic:
    if first > last:
        return BAD_DOMAIN.at(
            domain.span,
            f"the range from {decimal(first)} to {decimal(last)} holds nothing",
            help=f"write the smaller number first: `{decimal(last)} .. {decimal(first)}`",
            fix=Fix(
                "swap them",
                (Edit(domain.first.span, domain.last.span.text), Edit(domain.last.span, domain.first.span.text)),
            ),
        )
    return BAD_DOMAIN.at(
        domain.span,
        f"a logarithmic range starts above 0, not at {decimal(first)}",
        help="start it at a small positive number, or leave `log` out",
    )


def _nearest(statement: ParamStatement, domain: Choices | Range, known: list[Fraction], default: Fraction) -> str:
    near = min(known, key=lambda v: abs(v - default))
    line = f"write `param {statement.name.id} = {decimal(near)} in {text_of_domain(domain)}`"
    return f"{line}, or {'add ' if isinstance(domain, Choices) else 'widen the range to '}{decimal(default)}"


def text_of_domain(domain: Choices | Range) -> str:
    return " ".join(domain.span.text.split())
