"""A program with `repeat` and `block` is the program that a person would write out by hand.

Random programs are drawn as a tree, and written twice: as they are, and written out by a second expander, which is in
this file and shares no code with the compiler. Both must give the same plan, up to names and positions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dnnlang
from dnnlang.plan.ir import Plan, parts
from dnnlang.primitives.loss import Loss

ACTIVATIONS = ("relu", "tanh", "sigmoid", "linear")


@dataclass(frozen=True)
class Node:
    """A line with holes: sizes and names are filled in when it is written. `sources` None: the node above."""

    kind: str
    operands: tuple[str, ...] = ()
    sources: tuple[str, ...] | None = None
    alias: str | None = None


@dataclass(frozen=True)
class Repeat:
    count: int
    counter: str | None
    body: tuple[Node | Repeat | Use, ...]
    alias: str | None


@dataclass(frozen=True)
class Use:
    block: str
    operands: tuple[str, ...]
    sources: tuple[str, ...]
    alias: str | None


@dataclass(frozen=True)
class Block:
    name: str
    positional: tuple[str, ...]
    option: tuple[str, str]
    inputs: tuple[str, ...]
    body: tuple[Node | Repeat | Use, ...]


Item = Node | Repeat | Use


# ---------------------------------------------------------------- drawing programs


class Drawing:
    """Draws bodies. `numbers` and `nodes` are the names that can be used at a place."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.blocks: list[Block] = []

    def size(self, numbers: tuple[str, ...]) -> str:
        name = self.draw(st.sampled_from((*numbers, "2", "3")))
        return self.draw(st.sampled_from((name, f"{name} + 1", f"({name} + 2) // 2", f"2 * {name}")))

    def block(self, number: int) -> Block:
        option = (f"o{number}", self.draw(st.sampled_from(("3", "k + 1"))))
        inputs = self.draw(st.sampled_from((("x",), ("x", "y"))))
        body = self.body(("k", option[0], "width"), inputs, ("act",), depth=2, several=len(inputs) > 1)
        return Block(f"b{number}", ("k", "act"), option, inputs, body)

    def body(
        self,
        numbers: tuple[str, ...],
        nodes: tuple[str, ...],
        activations: tuple[str, ...] = (),
        *,
        depth: int,
        several: bool = False,
    ) -> tuple[Item, ...]:
        items: list[Item] = []
        own: list[str] = []
        if several:
            items.append(Node("concat", (), nodes))
        for _ in range(self.draw(st.integers(1, 3))):
            seen = (*nodes, *own)
            alias = f"n{len(own)}d{depth}" if self.draw(st.booleans()) else None
            choice = self.draw(st.sampled_from(("layer", "layer", "concat", "apply", "dropout", "repeat", "use")))
            if choice == "repeat" and depth > 0:
                counter = f"i{depth}" if self.draw(st.booleans()) else None
                inner = (*numbers, counter) if counter is not None else numbers
                body = self.body(inner, seen, activations, depth=depth - 1)
                items.append(Repeat(self.draw(st.integers(0, 3)), counter, body, alias))
            elif choice == "use" and self.blocks:
                block = self.draw(st.sampled_from(self.blocks))
                sources = tuple(self.draw(st.sampled_from((*seen, "_"))) for _ in block.inputs)
                operands = [self.size(numbers), self.draw(st.sampled_from((*ACTIVATIONS, *activations)))]
                if self.draw(st.booleans()):
                    operands.append(f"{block.option[0]}={self.size(numbers)}")
                items.append(Use(block.name, tuple(operands), sources, alias))
            elif choice == "concat" and seen:
                items.append(Node("concat", (), (self.draw(st.sampled_from(seen)), "_"), alias))
            elif choice == "apply":
                items.append(Node("apply", (self.draw(st.sampled_from((*ACTIVATIONS, *activations))),), None, alias))
            elif choice == "dropout":
                items.append(Node("dropout", (self.draw(st.sampled_from(("0.5", "1 / 4"))),), None, alias))
            else:
                operands = self.size(numbers), self.draw(st.sampled_from((*ACTIVATIONS, *activations)))
                items.append(Node("layer", operands, None, alias))
            if alias is not None:
                own.append(alias)
        return tuple(items)


@st.composite
def programs(draw: st.DrawFn) -> tuple[tuple[Block, ...], tuple[Item, ...]]:
    drawing = Drawing(draw)
    for number in range(draw(st.integers(0, 3))):
        drawing.blocks.append(drawing.block(number))
    return tuple(drawing.blocks), drawing.body(("width",), ("p", "q"), depth=2)


# ---------------------------------------------------------------- writing them as they are


def written(blocks: tuple[Block, ...], body: tuple[Item, ...]) -> str:
    lines = ["param width = 4", "input 3 as p", "input 2 as q"]
    for block in blocks:
        head = f"{block.name}({', '.join(block.positional)}; {'='.join(block.option)}) from {', '.join(block.inputs)}"
        lines += [f"block {head} {{", *_lines(block.body), "}"]
    return "\n".join([*lines, *_lines(body), "layer 1"])


def _lines(items: tuple[Item, ...]) -> Iterator[str]:
    for item in items:
        alias = f" as {item.alias}" if item.alias is not None else ""
        if isinstance(item, Repeat):
            head = f"{item.counter} in 1 .. {item.count}" if item.counter is not None else str(item.count)
            yield f"repeat {head} {{"
            yield from _lines(item.body)
            yield f"}}{alias}"
            continue
        name = item.block if isinstance(item, Use) else item.kind
        sources = f" from {', '.join(item.sources)}" if item.sources is not None else ""
        plain = [o for o in item.operands if "=" not in o]
        keys = [o for o in item.operands if "=" in o]
        yield (
            " ".join([name, *(f"({o})" if " " in o else o for o in plain)])
            + sources
            + alias
            + "".join(f" {k}" for k in keys)
        )


# ---------------------------------------------------------------- writing them out


class Writer:
    """Writes a program out. Each node gets a name of its own; numbers and activations are put in."""

    def __init__(self, blocks: tuple[Block, ...]) -> None:
        self.blocks = {block.name: block for block in blocks}
        self.lines = ["input 3 as p", "input 2 as q"]
        self.count = 0

    def body(self, items: tuple[Item, ...], values: dict[str, str], nodes: dict[str, str], above: str) -> str:
        """Writes the items; the name of the last node. Names of this body are added to `nodes`."""
        for item in items:
            if isinstance(item, Node):
                above = self.node(item, values, nodes, above)
            elif isinstance(item, Repeat):
                for number in range(1, item.count + 1):
                    inner = {**values, item.counter: str(number)} if item.counter is not None else values
                    above = self.body(item.body, inner, dict(nodes), above)
            else:
                above = self.use(item, values, nodes, above)
            if item.alias is not None:
                nodes[item.alias] = above
        return above

    def node(self, item: Node, values: dict[str, str], nodes: dict[str, str], above: str) -> str:
        sources = [above] if item.sources is None else [above if s == "_" else nodes[s] for s in item.sources]
        self.count += 1
        operands = " ".join(value_of(o, values) for o in item.operands)
        self.lines.append(f"{item.kind} {operands} from {', '.join(sources)} as w{self.count}")
        return f"w{self.count}"

    def use(self, item: Use, values: dict[str, str], nodes: dict[str, str], above: str) -> str:
        block = self.blocks[item.block]
        inside = {"width": values["width"]}
        for name, operand in zip(block.positional, item.operands, strict=False):
            inside[name] = value_of(operand, values)
        keys = dict(o.split("=") for o in item.operands if "=" in o)
        name, default = block.option
        inside[name] = value_of(keys[name], values) if name in keys else value_of(default, inside)
        sources = [above if s == "_" else nodes[s] for s in item.sources]
        first = sources[0] if len(sources) == 1 else "?"
        return self.body(block.body, inside, dict(zip(block.inputs, sources, strict=True)), first)


def value_of(operand: str, values: dict[str, str]) -> str:
    """An operand with numbers for its names."""
    if operand in ACTIVATIONS or operand == "act":
        return values.get(operand, operand)
    if operand == "1 / 4":
        return "0.25"
    if operand == "0.5":
        return operand
    return str(eval(operand, {"__builtins__": {}}, {k: int(v) for k, v in values.items() if v.isdigit()}))


def written_out(blocks: tuple[Block, ...], body: tuple[Item, ...]) -> str:
    writer = Writer(blocks)
    last = writer.body(body, {"width": "4"}, {"p": "p", "q": "q"}, "q")
    return "\n".join([*writer.lines, f"layer 1 from {last}"])


# ---------------------------------------------------------------- comparing plans


def anonymous(plan: Plan) -> list[tuple[object, ...]]:
    """The instructions, with values by the order in which they first occur."""
    numbers: dict[object, int] = {}
    return [
        (
            (i.primitive.expr, i.primitive.names, i.primitive.weight) if isinstance(i.primitive, Loss) else i.primitive,
            *(numbers.setdefault(v, len(numbers)) for v in (*i.inputs, *i.outputs)),
            *((v.shape, v.role, v.version, plan.places.get(v)) for v in i.outputs),
        )
        for merged in plan.instructions
        for i in parts(merged)
    ]


@pytest.mark.parametrize("level", [0, 2])
@given(drawn=programs())
def test_a_program_is_what_it_would_be_written_out(
    level: int, drawn: tuple[tuple[Block, ...], tuple[Item, ...]]
) -> None:
    short = dnnlang.compile(written(*drawn), optimize=level)
    long = dnnlang.compile(written_out(*drawn), optimize=level)
    assert short.parameters == long.parameters
    assert [n.units for n in short.architecture.nodes.values()] == [n.units for n in long.architecture.nodes.values()]
    assert anonymous(short.plan("step")) == anonymous(long.plan("step"))


@given(drawn=programs())
def test_the_folded_text_can_be_read_back(drawn: tuple[tuple[Block, ...], tuple[Item, ...]]) -> None:
    listing = dnnlang.compile(written(*drawn)).listing("step")
    again = dnnlang.read_plan(str(listing))
    assert again == listing
    assert str(again) == str(listing)
    assert dnnlang.read_plan(listing.text(flat=True)) == listing


@given(drawn=programs())
def test_every_instruction_knows_its_line_and_the_lines_of_use(
    drawn: tuple[tuple[Block, ...], tuple[Item, ...]],
) -> None:
    text = written(*drawn)
    lines = text.splitlines()
    blocks = {
        line.split("(")[0].removeprefix("block "): n for n, line in enumerate(lines, 1) if line.startswith("block")
    }
    for step in (*(program := dnnlang.compile(text)).forward, *program.backward):
        if step.position is None:
            continue
        place = step.position.line
        for copy in step.within:
            head = lines[copy.span.line - 1]
            assert head.startswith("repeat" if copy.name == "repeat" else copy.name)
            if copy.name == "repeat":
                assert copy.span.line < place
            else:
                assert place > blocks[copy.name]
            place = copy.span.line
