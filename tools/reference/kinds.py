"""Node kinds: what each takes, the shapes that inference finds for it, and what plans make of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dnnlang.graph.kinds import INPUT, KINDS, NodeKind
from dnnlang.program import Program, compile
from tools.reference.facts import block, code, table

SIZES: Final = ("k", "j")
"""Units of the inputs of a kind, as many as it needs."""
OPERANDS: Final = {"SIZE": "SIZE", "ACTIVATION": "relu", "RATE": "0.25"}
"""What stands for an operand in the programs below; SIZE is a dim there."""
BEFORE_TRAINING: Final = ("standardize",)
"""Kinds that stand before all that is trained, and so have no backward part."""


def kind_table() -> str:
    rows = ((f"[`{kind.usage()}`](#{kind.name})", kind.sentence, _shapes(kind)) for kind in KINDS.values())
    return table(("kind", "what it does", "shapes"), [(code("input [SIZE]"), INPUT.sentence, "(SIZE, m)"), *rows])


def kind_sections() -> str:
    return "\n".join(_section(kind) for kind in KINDS.values())


def _section(kind: NodeKind) -> str:
    parts = [f"### {kind.name}\n", f"`{_usage(kind)}`\n", f"{kind.sentence} Shapes: {_shapes(kind)}.\n"]
    if kind.notes:
        parts.append(f"{kind.notes}\n")
    slots = [*kind.operands, *kind.keys]
    if slots:
        parts.append(table(("", ""), ((code(slot.form), _sentence(slot.sentence)) for slot in slots)))
    program = _program(kind, trained=kind.name not in BEFORE_TRAINING)
    parts += _held(program, kind)
    parts.append(f"In a plan, as `{_statement(program, kind)}`:\n")
    parts.append(block("\n".join(_formulas(program, kind)), "text"))
    return "\n".join(parts)


def _sentence(text: str) -> str:
    """As a sentence; one that begins with a sign of the notation stays as it is."""
    return f"{text[0].upper()}{text[1:]}." if text[:2].isascii() and text[:2].isalpha() else f"{text}."


def _usage(kind: NodeKind) -> str:
    """With all that may follow the operands."""
    several = kind.most is None
    source = " from NODE, NODE, …" if several else " [from NODE]"
    keys = "".join(f" [{slot.form}]" for slot in kind.keys)
    return f"{kind.usage()}{source} [as NAME]{keys}"


def _shapes(kind: NodeKind) -> str:
    """`(k, m) → (SIZE, m)`, as inferred."""
    nodes = _program(kind, trained=False).architecture.nodes
    shapes = [f"({nodes[name].units}, m)" for name in ("u", "v") if name in nodes]
    return f"{', '.join(shapes)} → ({nodes['out'].units}, m)"


def _held(program: Program, kind: NodeKind) -> Iterator[str]:
    """What a node of the kind adds to the program's parameters and statistics."""
    parameters = [p for p in program.architecture.parameters.values() if _is_own(p.span.text, kind)]
    statistics = [s for s in program.architecture.statistics.values() if _is_own(s.span.text, kind)]
    for what, held in (("Trained", parameters), ("Kept, but not trained", statistics)):
        if held:
            yield f"{what}: {', '.join(f'`{p.name}` ({p.shape[0]}, {p.shape[1]})' for p in held)}.\n"


def _formulas(program: Program, kind: NodeKind) -> Iterator[str]:
    """The formulas of the node's instructions in training: forward, backward, and what changes after them."""
    for step in (*program.forward, *program.backward, *program.updates):
        if step.position is not None and _is_own(step.position.text, kind):
            yield step.formula


def _is_own(statement: str, kind: NodeKind) -> bool:
    return statement.endswith(" as out") and statement.startswith(kind.name)


def _statement(program: Program, kind: NodeKind) -> str:
    return next(n.span.text for n in program.architecture.nodes.values() if _is_own(n.span.text, kind))


def _program(kind: NodeKind, *, trained: bool) -> Program:
    """A node of the kind, called `out`, from u (and v): layers if `trained`, else inputs."""
    own = [OPERANDS[operand.name] for operand in kind.operands]
    units = dict(zip(("u", "v"), SIZES[: kind.least], strict=False))
    lines = [f"dim {name}" for name in (*units.values(), "SIZE") if name in (*units.values(), *own)]
    if trained:
        lines += ["input 5 as x", *(f"layer {size} from x as {name}" for name, size in units.items())]
    else:
        lines += [f"input {size} as {name}" for name, size in units.items()]
    lines.append(" ".join([kind.name, *own, "from", ", ".join(units), "as out"]))
    lines += ["layer 1", "loss mse"] if trained else []
    return compile("\n".join(lines), optimize=1)
