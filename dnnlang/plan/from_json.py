"""Plans from JSON, whoever wrote it. The file is not trusted: all that is wrong with it is a diagnostic with a place.

First the schema, then what no schema can say: that numbers lead somewhere, that formulas can be read, that labels
count. What the plan computes is for the verifier to judge.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from dnnlang.collector import collector_paused
from dnnlang.diagnostics.diagnostic import Diagnostic, Diagnostics, rule
from dnnlang.graph.architecture import Architecture, LossUse, Parameter, Schedule, Settings, Statistic
from dnnlang.plan.ir import Instruction, Options, Plan, Purpose, Slot
from dnnlang.plan.json_expressions import read_expressions
from dnnlang.plan.json_positions import Document, NotJsonError, Path, path_text
from dnnlang.plan.json_primitives import PrimitiveReader
from dnnlang.plan.json_schema import problems, schema
from dnnlang.plan.json_wrong import WrongError
from dnnlang.primitives.values import Role, Value
from dnnlang.scalar.construct import ZERO
from dnnlang.scalar.functions import Loss, Optimizer
from dnnlang.sizes import Size, SizeError, symbols
from dnnlang.sizes.read import read_size
from dnnlang.source import SourceFile, Span

NO_PLAN = rule(
    "DNN891",
    "no-plan",
    "A JSON file is not a plan as the schema describes it.",
    why="`plan.schema.json`, which ships with the package, says what stands where in a plan. A file that a tool can "
    "only guess at is not checked at all: its version, its members and their types must be those of the schema, and "
    "every number of a value, an expression or a slot must lead to one.",
    wrong='{"format": "dnnlang plan", "version": 2, "plan": []}\n',
    right='{"format": "dnnlang plan", "version": 2, "program": {"inputs": [], "outputs": []}, "parameters": [], '
    '"statistics": [], "losses": [], "plans": [], "expressions": []}\n',
    program=False,
)

MOST: Final = 20
"""Problems that are looked for."""
_PARTS: Final = "FBU"


@dataclass(frozen=True, slots=True)
class PlanFile:
    """The plans of a file, and where in it each instruction and value stands.

    `stated` are the plans as they stand in the JSON, for what they claim about themselves.
    """

    document: Document
    architecture: Architecture
    plans: tuple[Plan, ...]
    stated: tuple[Mapping[str, Any], ...]
    with_settings: bool
    """Does the file say what a step is made by?"""
    _instructions: Mapping[Instruction, Path]
    _values: Mapping[Value, Path]

    def path(self, about: Instruction | Value | int) -> Path:
        """Where an instruction, a value or the plan of that number stands."""
        if isinstance(about, Instruction):
            return self._instructions[about]
        return self._values[about] if isinstance(about, Value) else ("plans", about)


def read_plans(source: SourceFile, found: Diagnostics) -> PlanFile | None:
    """The plans in `source`, or None where it is no plan file; then `found` says why."""
    try:
        document = Document(source)
    except NotJsonError as error:
        found.add(error.diagnostic)
        return None
    with collector_paused():
        return _Reader(document, found).file()


def blame(document: Document, path: Path, message: str) -> Diagnostic:
    """The rule NO_PLAN, broken at `path`."""
    return NO_PLAN.at(document.span(path), f"{path_text(path)}: {message}")


class _Reader:
    def __init__(self, document: Document, found: Diagnostics) -> None:
        self._document = document
        self._found = found
        self._count = 0
        self._sizes: dict[int | str, Size] = {}
        self._instructions: dict[Instruction, Path] = {}
        self._values: dict[Value, Path] = {}

    def file(self) -> PlanFile | None:
        whole = self._document.value
        if not self._is_ours(whole) or self._breaks_schema(whole):
            return None
        with self._collecting():
            expressions = read_expressions(whole["expressions"])
        if self._count:
            return None
        self._primitives = PrimitiveReader(expressions, self._size)
        architecture = self._architecture(whole)
        plans = tuple(self._plan(n, plan, architecture) for n, plan in enumerate(whole["plans"]) if self._count < MOST)
        if self._count:
            return None
        return PlanFile(
            self._document,
            architecture,
            plans,
            tuple(whole["plans"]),
            whole.get("settings") is not None,
            self._instructions,
            self._values,
        )

    # ------------------------------------------------------------ what is wrong

    def _wrong(self, path: Path, message: str) -> None:
        if self._count < MOST:
            self._found.add(blame(self._document, path, message))
        self._count += 1

    @contextmanager
    def _collecting(self, *path: str | int) -> Iterator[None]:
        """What is raised inside is noted, at `path` and further down as the error says."""
        try:
            yield
        except WrongError as error:
            self._wrong((*path, *error.path), error.message)

    def _is_ours(self, whole: Any) -> bool:
        """Format and version first: who has another file needs no list of what is missing in it."""
        document = self._document
        if not isinstance(whole, dict) or "format" not in whole:
            span = document.span(())
            self._found.add(NO_PLAN.at(span, 'this is no plan: there is no `"format": "dnnlang plan"`', help=WRITE))
            return False
        properties = schema()["properties"]
        for key in ("format", "version"):
            wanted = properties[key]["const"]
            if type(whole.get(key)) is not type(wanted) or whole[key] != wanted:
                path = (key,) if key in whole else ()
                message = f"the {key} of this file is not {wanted!r}, the only one that is known here"
                self._found.add(NO_PLAN.at(document.span(path), message, help=WRITE))
                return False
        return True

    def _breaks_schema(self, whole: Any) -> bool:
        found = problems(whole)
        for path, message in found:
            self._wrong(path, message)
        return bool(found)

    # ------------------------------------------------------------ the program

    def _architecture(self, whole: Mapping[str, Any]) -> Architecture:
        """What a plan is checked against; nodes are not read."""
        source = self._document.source
        nowhere = Span(source, 0, 0)
        parameters: dict[str, Parameter] = {}
        statistics: dict[str, Statistic] = {}
        for n, entry in enumerate(whole["parameters"]):
            with self._collecting("parameters", n):
                shape, name = self._shape(entry["shape"]), entry["name"]
                _once(name, parameters)
                l2 = _exact(entry.get("l2"))
                parameters[name] = Parameter(name, shape, None, (1, 1), l2, False, entry["trainable"], nowhere)
        for n, entry in enumerate(whole["statistics"]):
            with self._collecting("statistics", n):
                shape, name = self._shape(entry["shape"]), entry["name"]
                _once(name, statistics)
                statistics[name] = Statistic(name, shape, _exact(entry["initial"]), nowhere)
        program = whole["program"]
        shapes = [*(p.shape for p in parameters.values()), *(s.shape for s in statistics.values())]
        found = {name for shape in shapes for size in shape for name in symbols(size)}
        losses = [self._loss(n, entry) for n, entry in enumerate(whole["losses"])]
        return Architecture(
            source=source,
            sources=(source,),
            nodes={},
            inputs=tuple(program["inputs"]),
            outputs=tuple(program["outputs"]),
            parameters=parameters,
            losses=tuple(losses),
            settings=self._settings(whole.get("settings")),
            params={},
            symbols=tuple(dict.fromkeys((*program.get("symbols", ()), *sorted(found)))),
            requirements=(),
            aliases={},
            statistics=statistics,
        )

    def _loss(self, n: int, entry: Mapping[str, Any]) -> LossUse:
        given = []
        for k, each in enumerate(entry.get("given", ())):
            with self._collecting("losses", n, "given", k):
                given.append((self._primitives.expression(each["expr"], "expr"), Fraction(each["value"])))
        loss = Loss(entry["loss"], ZERO, tuple(given), None)
        return LossUse(loss, entry["node"], Fraction(entry["weight"]), entry["target"], None)

    def _settings(self, entry: Mapping[str, Any] | None) -> Settings:
        optimizer = Optimizer("", (), (), None)
        if entry is not None:
            with self._collecting("settings", "optimizer"):
                optimizer = self._primitives.optimizer(entry["optimizer"])
        entry = entry or {"learning_rate": "1/100", "clip_norm": None, "l2": "0"}
        return Settings(
            optimizer=optimizer,
            learning_rate=Fraction(entry["learning_rate"]),
            schedule=Schedule("constant", ()),
            epochs=1,
            iterations=None,
            batch=None,
            l2=Fraction(entry["l2"]),
            clip_norm=_exact(entry["clip_norm"]),
            validation=Fraction(0),
            patience=None,
            seed=0,
        )

    # ------------------------------------------------------------ one plan

    def _plan(self, number: int, entry: Mapping[str, Any], architecture: Architecture) -> Plan:
        at = ("plans", number)
        values = [self._value(each, (*at, "values", n)) for n, each in enumerate(entry["values"])]

        def named(key: str) -> dict[str, Value]:
            made = {}
            for name, n in entry[key].items():
                with self._collecting(*at, key, name):
                    made[name] = _value(values, n)
            return made

        loss = None
        with self._collecting(*at, "loss"):
            loss = None if entry["loss"] is None else _value(values, entry["loss"])
        parts = self._parts(entry["instructions"], values, (*at, "instructions"))
        slots = self._slots(entry["slots"], (*at, "slots"))
        return Plan(
            architecture=architecture,
            purpose=Purpose(entry["purpose"]),
            training=entry["training"],
            level=entry["level"],
            forward=parts["F"],
            backward=parts["B"],
            updates=parts["U"],
            inputs=named("inputs"),
            targets=named("targets"),
            parameters=named("parameters"),
            state=named("state"),
            outputs=named("outputs"),
            loss=loss,
            gradients=named("gradients"),
            slots=slots,
            places=self._places(entry, values, (*at, "values")),
            passes=tuple(entry["passes"]),
            statistics=named("statistics"),
            options=Options(**entry["options"]) if "options" in entry else Options(),
            aliases=self._aliases(entry["values"], values, (*at, "values")),
        )

    def _value(self, entry: Mapping[str, Any], path: Path) -> Value:
        shape: tuple[Size, Size] = (1, 1)
        with self._collecting(*path):
            shape = self._shape(entry["shape"])
        value = Value(entry["name"], shape, Role(entry["role"]), entry["version"], entry.get("packed", False))
        self._values[value] = path
        return value

    def _parts(
        self, entries: list[Mapping[str, Any]], values: list[Value], path: Path
    ) -> dict[str, tuple[Instruction, ...]]:
        parts: dict[str, list[Instruction]] = {letter: [] for letter in _PARTS}
        counts = dict.fromkeys(_PARTS, 0)
        part, counting = 0, True
        for n, entry in enumerate(entries):
            if self._count >= MOST:
                break
            part = max(part, _PARTS.index(entry["label"][0]))
            letter = _PARTS[part]
            counts[letter] += 1
            expected = f"{letter}{counts[letter]}"
            if counting and entry["label"] != expected:
                counting = False  # those that follow are wrong with it
                self._wrong((*path, n, "label"), f"the label should be {expected}, not {entry['label']}")
            with self._collecting(*path, n):
                instruction = self._instruction(entry, values)
                self._instructions[instruction] = (*path, n)
                parts[letter].append(instruction)
        return {letter: tuple(found) for letter, found in parts.items()}

    def _instruction(self, entry: Mapping[str, Any], values: list[Value]) -> Instruction:
        inputs = _values(values, entry["inputs"], "inputs")
        inner = _values(values, entry.get("inner", ()), "inner")
        outputs = _values(values, entry["outputs"], "outputs")
        primitive = self._primitives.read(entry["operation"], entry["attributes"], inputs, len(inner), len(outputs))
        return Instruction(primitive, inputs, outputs, None, None, inner)

    # ------------------------------------------------------------ where things lie

    def _slots(self, entries: list[Mapping[str, Any]], path: Path) -> tuple[Slot, ...]:
        slots: dict[int, Slot] = {}
        numbers = {entry["number"] for entry in entries}
        for n, entry in enumerate(entries):
            with self._collecting(*path, n):
                number, on = entry["number"], tuple(entry.get("on", ()))
                if number in slots:
                    raise WrongError(f"there are two slots {number}", "number")
                for k, below in enumerate(on):
                    if below not in numbers:
                        raise WrongError(f"there is no slot {below}", "on", k)
                slots[number] = Slot(number, self._size(entry["rows"], "rows"), entry["per_sample"], on)
        return tuple(slots.values())

    def _places(self, plan: Mapping[str, Any], values: list[Value], path: Path) -> dict[Value, int]:
        places = {}
        numbers = {slot["number"] for slot in plan["slots"]}
        for n, (entry, value) in enumerate(zip(plan["values"], values, strict=True)):
            slot = entry["slot"]
            if slot is None:
                continue
            places[value] = slot
            if slot not in numbers:
                self._wrong((*path, n, "slot"), f"there is no slot {slot}")
        return places

    def _aliases(self, entries: list[Mapping[str, Any]], values: list[Value], path: Path) -> dict[Value, Value]:
        aliases = {}
        for n, (entry, value) in enumerate(zip(entries, values, strict=True)):
            over = entry.get("overwrites")
            if over is None:
                continue
            with self._collecting(*path, n, "overwrites"):
                aliases[value] = _value(values, over)
        return aliases

    # ------------------------------------------------------------ sizes

    def _shape(self, written: list[int | str]) -> tuple[Size, Size]:
        return self._size(written[0], "shape", 0), self._size(written[1], "shape", 1)

    def _size(self, written: int | str, *path: str | int) -> Size:
        if written not in self._sizes:
            try:
                self._sizes[written] = read_size(str(written))
            except SizeError as error:
                raise WrongError(f"this is no size: {error}", *path) from None
        return self._sizes[written]


WRITE: Final = "`dnnc compile PROGRAM --emit json` writes a plan"


def _once(name: str, known: Mapping[str, object]) -> None:
    if name in known:
        raise WrongError(f"{name} stands here a second time", "name")


def _value(values: list[Value], number: int) -> Value:
    if number >= len(values):
        raise WrongError(f"there is no value {number}; the last is {len(values) - 1}")
    return values[number]


def _values(values: list[Value], numbers: list[int], key: str) -> tuple[Value, ...]:
    try:
        return tuple([values[n] for n in numbers])
    except IndexError:
        at = next(k for k, n in enumerate(numbers) if n >= len(values))
        raise WrongError(f"there is no value {numbers[at]}; the last is {len(values) - 1}", key, at) from None


def _exact(written: str | None) -> Fraction | None:
    return None if written is None else Fraction(written)
