"""The C source of a plan: the functions of its steps, and the calls that run it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from dnnlang.backends.native.changes import CHANGES
from dnnlang.backends.native.columns import COLUMNS
from dnnlang.backends.native.division import divided
from dnnlang.backends.native.gradients import gradient_group, is_gradient
from dnnlang.backends.native.moves import MOVES
from dnnlang.backends.native.products import WIDTHS, forward_group
from dnnlang.backends.native.steps import Call, Section, Source
from dnnlang.backends.native.writing import Writing
from dnnlang.errors import InternalError
from dnnlang.plan.ir import Instruction, Plan, parts
from dnnlang.primitives.loss import Loss
from dnnlang.primitives.penalty import Penalty
from dnnlang.primitives.product import Product

HEADERS: Final = ("vectors.h", "coefficients.h", "math.h", "run.h", "product.h", "squares.h", "few.h", "rows.h")
WRITERS: Final[dict[type, Callable[[Instruction, Writing], None]]] = {**CHANGES, **COLUMNS, **MOVES}
"""What writes a plain instruction by itself, by its primitive; products are written in groups."""


@dataclass(frozen=True, slots=True)
class Written:
    """A plan as C, whose step functions `calls` number, each with the section of the plan that it is of.

    Vectors have `lanes` numbers of `bits` bits.
    """

    source: Source
    lanes: int
    bits: int
    calls: tuple[tuple[Section, Call], ...]

    @property
    def scalars(self) -> int:
        """How many numbers are made once a step."""
        return len(self.source.scalars)

    @property
    def text(self) -> str:
        """All of it."""
        return "\n\n".join([self._head("static"), *step_functions(self.source), self._entry()])

    def units(self, count: int) -> tuple[str, ...]:
        """The same in up to `count` translation units that are linked."""
        hidden = 'extern __attribute__((visibility("hidden")))'
        return divided(step_functions(self.source), self._head(""), self._head(hidden), self._entry(), count)

    def _head(self, storage: str) -> str:
        vector_bytes = self.lanes * self.bits // 8 if self.lanes > 1 else 0
        lines = [
            "#define _GNU_SOURCE",  # glibc tells of processors only those who ask for more than POSIX
            f"#define REAL_BITS {self.bits}",
            f"#define VECTOR_BYTES {vector_bytes}",
            f"#define OF_ALL_UNITS {storage}",
        ]
        return "\n\n".join(["\n".join(lines), *map(header, HEADERS)])

    def _entry(self) -> str:
        names = ", ".join(f"step_{number}" for number in self.source.functions.values())
        scalars = [f"    e->scalars[{n}] = (real)({text});" for n, text in enumerate(self.source.scalars)]
        return "\n\n".join(
            [
                f"static const step_function functions[] = {{{names}}};",
                "\n".join(["static void make_scalars(env *e) {", "    (void)e;", *scalars, "}"]),
                header("forward.h"),
                header("entry.h"),
            ]
        )


def write(plan: Plan, *, lanes: int, bits: int) -> Written:
    """The plan in C, for vectors of `lanes` numbers of `bits` bits. All sizes but m are numbers."""
    source = Source()
    return Written(source, lanes, bits, calls_of(plan, source, lanes=lanes, bits=bits))


def calls_of(
    plan: Plan, source: Source, *, lanes: int, bits: int, widths: tuple[int, ...] = WIDTHS
) -> tuple[tuple[Section, Call], ...]:
    """Writes the steps of a plan into `source`, products in tiles of so many vectors; the calls that run the plan."""
    w = Writing(plan, source, lanes, bits, widths)
    sections = (Section.FORWARD, plan.forward), (Section.BACKWARD, plan.backward), (Section.UPDATE, plan.updates)
    for section, instructions in sections:
        for instruction in instructions:
            _write(instruction, section, w)
    w.close()
    return tuple(w.calls)


def _section(part: Instruction, of: Section) -> Section:
    if isinstance(part.primitive, Loss):
        return Section.LOSS
    return Section.PENALTY if isinstance(part.primitive, Penalty) else of


def _write(instruction: Instruction, section: Section, w: Writing) -> None:
    """Writes an instruction, those of its parts together that belong together."""
    w.begin(instruction)
    rest = parts(instruction)
    while rest:
        first = rest[0]
        w.enter(_section(first, section))
        if is_gradient(first):
            count = gradient_group(rest, w)
        elif isinstance(first.primitive, Product):
            count = forward_group(rest, w)
        else:
            count = 1
            w.lasting(rest[:1], rest[1:])
            _writer(first)(first, w)
        rest = rest[count:]


def _writer(part: Instruction) -> Callable[[Instruction, Writing], None]:
    writer = WRITERS.get(type(part.primitive))
    if writer is None:
        raise InternalError(f"the native backend does not implement {part.primitive.operation}")
    return writer


# ---------------------------------------------------------------- the text


def step_functions(source: Source) -> list[str]:
    """The text of each step function, behind those of what they use."""
    helpers = [text.replace("NAME", name) for text, name in source.helpers.items()]
    return [*helpers, *(_step(number, body) for body, number in source.functions.items())]


def _step(number: int, body: str) -> str:
    unused = "    (void)e; (void)a; (void)t; (void)T;"
    lines = "\n".join(f"    {line}" for line in body.split("\n"))
    return f"static void step_{number}(env *e, const operand *a, int t, int T) {{\n{unused}\n{lines}\n}}"


@cache
def header(name: str) -> str:
    """The text of one of the headers that every program includes."""
    return (files("dnnlang.backends.native") / "c" / name).read_text(encoding="utf-8")
