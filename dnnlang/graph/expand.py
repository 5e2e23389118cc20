"""Statements → drafts: `repeat` and `block` are written out, each copy of a body in a scope of its own.

The bodies that are open at a moment stand on a stack of generators, so blocks may use each other to any depth.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from dnnlang.diagnostics import Label
from dnnlang.graph.architecture import Copy, Expansion
from dnnlang.graph.blocks import form, hand_over, no_value
from dnnlang.graph.draft import Draft
from dnnlang.graph.elaborate import WRONG_INPUTS, Elaboration
from dnnlang.graph.kinds import KINDS
from dnnlang.graph.located import Located
from dnnlang.graph.repetition import copies_of
from dnnlang.graph.scope import (
    BlockEntry,
    CounterEntry,
    NodeEntry,
    Scope,
    declare,
    declared_name,
    duplicate,
    is_reserved,
)
from dnnlang.syntax.tree import (
    BlockStatement,
    InputStatement,
    Name,
    NodeStatement,
    RepeatStatement,
    Statement,
)

Steps = Iterator["Steps"]
"""Goes through a body, and yields the bodies in it when it comes to them."""


@dataclass(slots=True)
class Expander:
    """Goes through the statements of a program. `blocks` are those of the program, by name."""

    elaboration: Elaboration
    blocks: Mapping[str, BlockEntry]
    found: Located
    before: dict[int, Draft | None] = field(default_factory=dict)
    """The node above each `output`, `loss` and `expect`, by id of the statement: what `_` means there."""
    _around: Scope = field(init=False)
    _uses: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._around = self.elaboration.reader.scope.without_nodes()

    def run(self, statements: Iterable[Statement]) -> None:
        stack: list[Steps] = [self._statements(statements)]
        while stack:
            inner = next(stack[-1], None)
            if inner is None:
                stack.pop()
            else:
                stack.append(inner)

    # ------------------------------------------------------------ bodies

    def _statements(self, statements: Iterable[Statement]) -> Steps:
        elaboration, reader, blocks = self.elaboration, self.elaboration.reader, self.blocks
        for statement in statements:
            if isinstance(statement, NodeStatement):
                block = blocks.get(statement.kind.id)
                if block is None:
                    reader.previous = elaboration.node(statement)
                else:
                    yield self._use(statement, block)
            elif isinstance(statement, RepeatStatement):
                yield self._repeat(statement)
            elif isinstance(statement, InputStatement):
                reader.previous = elaboration.input(statement)
            else:
                self.before[id(statement)] = reader.previous

    def _repeat(self, statement: RepeatStatement) -> Steps:
        reader = self.elaboration.reader
        scope, within = reader.scope, self.elaboration.within
        copies = copies_of(statement, reader)
        if not self._start(statement) or copies is None:
            reader.previous = self.elaboration.failed("repeat", statement)
            return
        counter = statement.variable
        name = counter.id if counter is not None else None
        expansion = Expansion("repeat", statement.head, copies.count, name, copies.first)
        declares = any(declared_name(s) is not None for s in statement.body)
        for number in range(1, copies.count + 1):
            if self.found.tired:
                reader.nodes.given_up = True
                break
            if counter is not None:
                value = copies.first + number - 1
                reader.scope = scope.within({counter.id: CounterEntry(counter.id, counter.span, value)})
            elif declares:
                reader.scope = scope.within({})
            self._enter_copy(Copy(expansion, number, within))
            if declares:
                declare(statement.body, reader.scope, self.found)
            yield self._statements(statement.body)
        reader.scope = scope
        self._enter_copy(within)
        self._name(statement.alias, reader.previous)

    def _use(self, statement: NodeStatement, entry: BlockEntry) -> Steps:
        elaboration, reader, block = self.elaboration, self.elaboration.reader, entry.statement
        scope, within = reader.scope, elaboration.within
        inside = Scope(self._around, block=block, unseen=self._around.unseen)
        sources = self._sources(statement, block)
        handed = not entry.broken and hand_over(statement, block, reader, inside)
        if sources is None or not handed or self.found.tired:
            reader.previous = elaboration.failed(entry.name, statement)
            return
        for name, source in zip(block.inputs, sources, strict=False):
            inside.entries[name.id] = NodeEntry(name.id, name.span, source)
        number = self._uses[entry.name] = self._uses.get(entry.name, 0) + 1
        self._enter_copy(Copy(Expansion(entry.name, statement.span), number, within))
        declare(block.body, inside, self.found)
        reader.scope = inside
        reader.previous = sources[0] if len(sources) == 1 else None
        yield self._statements(block.body)
        reader.scope = scope
        self._enter_copy(within)
        if reader.previous is None:  # several inputs, and nothing but repeats of 0 copies
            self.found.add(no_value(block, f"no node of the block `{entry.name}` is left, so it has no value"))
            reader.previous = elaboration.failed(entry.name, statement)
            return
        if entry.name not in KINDS:
            reader.nodes.enter_use(entry.name, number, reader.previous)
        self._name(statement.alias, reader.previous)

    # ------------------------------------------------------------ what goes in, what comes out

    def _start(self, statement: RepeatStatement) -> bool:
        """Make what goes into the first copy the previous node. False after a diagnostic about the head."""
        reader = self.elaboration.reader
        counter = statement.variable
        if not statement.body:
            self.found.add(no_value(statement, "this repeats nothing: the body has no nodes"))
            return False
        if counter is not None and not self._is_new(counter):
            return False
        if statement.sources is None:
            return True
        if len(statement.sources) == 1:
            source = reader.node(statement.sources[0])
            reader.previous = source
            return source is not None
        self.found.add(
            WRONG_INPUTS.at(
                statement.sources[1].span,
                f"one node goes into the first copy of a `repeat`, and here are {len(statement.sources)}",
                help="the body sees the nodes around it: name them there, after `from`",
            )
        )
        return False

    def _is_new(self, counter: Name) -> bool:
        """Two counters of one name, one inside the other, would hide that one was meant where the other stands."""
        around = self.elaboration.reader.scope.find(counter.id)
        if isinstance(around, CounterEntry):
            self.found.add(duplicate(counter, around))
        return not isinstance(around, CounterEntry) and not is_reserved(counter, self.found)

    def _sources(self, statement: NodeStatement, block: BlockStatement) -> tuple[Draft, ...] | None:
        """The nodes that go into a block, one for each of its inputs; None after a diagnostic."""
        sources = self.elaboration.sources(statement)
        wanted = max(1, len(block.inputs))
        if sources is None or len(sources) == wanted:
            return sources
        name = block.name.id
        takes = "one node" if wanted == 1 else f"{wanted} nodes, {' and '.join(n.id for n in block.inputs)}"
        count = f"are {len(sources)}" if len(sources) > 1 else "is one"
        self.found.add(
            WRONG_INPUTS.at(
                statement.sources[min(wanted, len(sources) - 1)].span if statement.sources else statement.kind.span,
                f"the block `{name}` takes in {takes}, and here {count}",
                labels=[Label(block.head, "its head says what goes in")],
                help=f"write `{form(block)}`" if wanted > 1 else f"write `{form(block)} from NODE`",
            )
        )
        return None

    def _name(self, alias: Name | None, value: Draft | None) -> None:
        """Give the value of a body the name after `as`."""
        if alias is None or value is None:
            return
        entry = self.elaboration.reader.scope.entries.get(alias.id)
        if isinstance(entry, NodeEntry) and entry.span == alias.span:
            entry.draft = value
        # Outside bodies names are unique, so the node itself can have it, unless it has one already.
        if self.elaboration.within is None and value.within is not None and value.name != value.alias:
            value.name = value.alias = alias.id

    def _enter_copy(self, copy: Copy | None) -> None:
        self.elaboration.within = self.found.within = copy
