"""Primitives from the `operation` and `attributes` of a plan file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

from dnnlang.plan.json_wrong import WrongError
from dnnlang.primitives.fill import Zeros
from dnnlang.primitives.fused import Fused, Member, fused
from dnnlang.primitives.loss import Loss, LossGradient
from dnnlang.primitives.map import Map, MeanOverSamples
from dnnlang.primitives.mask import Mask
from dnnlang.primitives.penalty import Decay, Penalty
from dnnlang.primitives.primitive import Primitive
from dnnlang.primitives.product import Product
from dnnlang.primitives.running import Running
from dnnlang.primitives.stack import Slice, Stack
from dnnlang.primitives.update import Clip, Update
from dnnlang.primitives.values import Role, Value
from dnnlang.scalar.construct import ZERO
from dnnlang.scalar.expression import COLUMNWISE, REDUCTIONS, Expr, topological, variable
from dnnlang.scalar.functions import Activation, Optimizer
from dnnlang.sizes import Size

Attributes = Mapping[str, Any]
OF_ALL_ENTRIES: Final = frozenset(("rate", "t"))
"""Variables of an optimizer that are one number for the whole parameter."""
_ANYTHING: Final = Value("", (1, 1), Role.ACTIVATION)


class PrimitiveReader:
    """Makes a primitive of attributes that have the form of the schema. Equal ones are the same record.

    All methods raise WrongError, with the path from the instruction, member or statement that they are given.
    """

    def __init__(self, expressions: Sequence[Expr], size: Callable[..., Size]) -> None:
        self._expressions = expressions
        self._size = size
        self._made: dict[tuple[str, str, int, int, int], Primitive] = {}
        self._activations: dict[str, Activation] = {}
        self._optimizers: dict[str, Optimizer] = {}

    def read(
        self, operation: str, attributes: Attributes, inputs: Sequence[Value | None], inner: int, outputs: int
    ) -> Primitive:
        """The primitive of an instruction with these inputs (None: of a member, inside a step)."""
        if operation == "loss":
            return self._loss(attributes, inputs)
        if inner and operation != "fused":
            raise WrongError("only a fused step has inner values", "inner")
        key = (operation, repr(attributes), len(inputs), inner, outputs)
        if key not in self._made:
            self._made[key] = self._new(operation, attributes, len(inputs), inner, outputs)
        return self._made[key]

    def expression(self, number: int, *path: str | int) -> Expr:
        if number >= len(self._expressions):
            raise WrongError(f"there is no expression {number}; the last is {len(self._expressions) - 1}", *path)
        return self._expressions[number]

    def optimizer(self, entry: Attributes) -> Optimizer:
        key = repr(entry)
        if key not in self._optimizers:
            self._optimizers[key] = self._optimizer(entry)
        return self._optimizers[key]

    # ------------------------------------------------------------ by operation

    def _new(self, operation: str, a: Attributes, inputs: int, inner: int, outputs: int) -> Primitive:
        if operation == "fused":
            return self._fused(a, inputs, inner, outputs)
        made = _PLAIN[operation](self, a) if operation in _PLAIN else _OF_FIELDS[operation](**a)
        expected = 1 + len(made.optimizer.state) if isinstance(made, Update) else 1
        if outputs != expected and not isinstance(made, Clip):
            raise WrongError(f"{operation} has {expected} outputs, not {outputs}", "outputs")
        return made

    def _map(self, a: Attributes) -> Map:
        expr, names = self._expression_and_names(a)
        return Map(
            expr,
            names,
            self._activation(a.get("activation"), expr),
            self._activation(a.get("slope_of"), None),
            a.get("note"),
            a.get("accumulate", False),
            a.get("per_unit", True),
        )

    def _mean(self, a: Attributes) -> MeanOverSamples:
        return MeanOverSamples(*self._expression_and_names(a), a.get("accumulate", False))

    def _loss(self, a: Attributes, inputs: Sequence[Value | None]) -> Loss:
        """Its gradient is not in the file: the backward part states it."""
        expr, names = self._expression_and_names(a)
        by_name = dict(zip(names, inputs, strict=False))
        of = by_name.get("z") or by_name.get("a") or _ANYTHING
        gradient = LossGradient(of, ZERO, (), "")
        weight, accumulate = Fraction(a["weight"]), a.get("accumulate", False)
        return Loss(expr, names, weight, a["label"], a.get("of_activation"), gradient, accumulate)

    def _slice(self, a: Attributes) -> Slice:
        start, rows = (self._size(a[key], "attributes", key) for key in ("start", "rows"))
        return Slice(start, rows, a["accumulate"])

    def _mask(self, a: Attributes) -> Mask:
        return Mask(Fraction(a["rate"]), a["node"], self._like(a))

    def _zeros(self, a: Attributes) -> Zeros:
        return Zeros(self._like(a))

    def _update(self, a: Attributes) -> Update:
        try:
            return Update(self.optimizer(a["optimizer"]))
        except WrongError as error:
            raise WrongError(error.message, "attributes", "optimizer", *error.path) from None

    def _fused(self, a: Attributes, inputs: int, inner: int, outputs: int) -> Fused:
        """Every place that a member names is one of the step, written before it is read, and nothing is left over."""
        within = inputs + inner + outputs
        known = set(range(inputs))
        read: set[int] = set()
        members: list[Member] = []
        for n, each in enumerate(a["members"]):
            for key in ("inputs", "outputs"):
                for k, place in enumerate(each[key]):
                    if place >= within:
                        raise WrongError(f"the step has {within} values, none is {place}", *_member(n), key, k)
            for k, place in enumerate(each["inputs"]):
                if place not in known:
                    raise WrongError(f"reads {place} before it is written", *_member(n), "inputs", k)
            for k, place in enumerate(each["outputs"]):
                if place in known:
                    raise WrongError(f"writes {place} a second time", *_member(n), "outputs", k)
                known.add(place)
            read.update(each["inputs"])
            nothing = [None] * len(each["inputs"])
            try:
                primitive = self.read(each["operation"], each["attributes"], nothing, 0, len(each["outputs"]))
            except WrongError as error:
                raise WrongError(error.message, *_member(n), *error.path) from None
            if isinstance(primitive, Fused):
                raise WrongError("a fused step inside another", *_member(n), "operation")
            members.append(Member(primitive, tuple(each["inputs"]), tuple(each["outputs"])))
        left = set(range(within)) - known
        unread = set(range(inputs + inner)) - read
        if left or unread:
            word, place = ("writes", min(left)) if left else ("reads", min(unread))
            raise WrongError(f"no member {word} the value at {place}", "attributes", "members")
        return fused(tuple(members), inputs, inner)

    # ------------------------------------------------------------ parts of attributes

    def _expression_and_names(self, a: Attributes) -> tuple[Expr, tuple[str, ...]]:
        names = tuple(a["names"])
        if len(set(names)) < len(names):
            raise WrongError("two operands have the same name", "attributes", "names")
        return self.expression(a["expr"], "attributes", "expr"), names

    def _like(self, a: Attributes) -> tuple[Size, Size]:
        rows, columns = (self._size(n, "attributes", "like", k) for k, n in enumerate(a["like"]))
        return rows, columns

    def _activation(self, label: str | None, value: Expr | None) -> Activation | None:
        """Only its label matters to who reads a plan: the expression says what is computed."""
        if label is None:
            return None
        if label not in self._activations:
            self._activations[label] = Activation(label, value or variable("z"), None, None, None)
        return self._activations[label]

    def _optimizer(self, entry: Attributes) -> Optimizer:
        state = tuple(entry["state"])
        known = {"w", "g", *OF_ALL_ENTRIES}
        if len({*state, *known}) < len(state) + len(known):
            raise WrongError("two things have the same name", "state")
        known.update(state)
        statements = []
        for n, each in enumerate(entry["statements"]):
            expr = self.expression(each["value"], "statements", n, "value")
            problem = _optimizer_fault(expr, known)
            if problem is not None:
                raise WrongError(problem, "statements", n, "value")
            if each["name"] in ("g", *OF_ALL_ENTRIES):
                raise WrongError(f"{each['name']} cannot be changed", "statements", n, "name")
            known.add(each["name"])
            statements.append((each["name"], expr))
        return Optimizer(entry["label"], tuple(statements), state, None)


def _member(n: int) -> tuple[str | int, ...]:
    return ("attributes", "members", n)


def _optimizer_fault(expr: Expr, known: set[str]) -> str | None:
    for e in topological(expr):
        if e.op in REDUCTIONS or e.op in COLUMNWISE or e.op == "units":
            return f"{e.op} in an optimizer, which works entry by entry"
        if e.name is None:
            continue
        if e.name not in known:
            return f"nobody says what {e.name} is"
        if e.per_unit == (e.name in OF_ALL_ENTRIES):
            return f"{e.name} is {'one number for all entries' if e.per_unit else 'one number an entry'}"
    return None


_PLAIN: Final[Mapping[str, Callable[[PrimitiveReader, Attributes], Primitive]]] = {
    "map": PrimitiveReader._map,
    "mean over samples": PrimitiveReader._mean,
    "slice": PrimitiveReader._slice,
    "mask": PrimitiveReader._mask,
    "zeros": PrimitiveReader._zeros,
    "update": PrimitiveReader._update,
    "stack": lambda _, a: Stack(),
    "penalty": lambda _, a: Penalty(Fraction(a["rate"])),
    "decay": lambda _, a: Decay(Fraction(a["rate"]), a["accumulate"]),
    "running": lambda _, a: Running(Fraction(a["momentum"]), a["unbiased"]),
    "clip": lambda _, a: Clip(Fraction(a["limit"])),
}
_OF_FIELDS: Final[Mapping[str, Callable[..., Primitive]]] = {"product": Product}
"""Whose attributes are the fields of the record as they stand."""
