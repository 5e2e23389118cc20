"""How many nodes a program has once bodies are put in their places: counted before any of them is made.

What a body comes to is counted once for all copies that must be alike. Only the counters and the parameters of
blocks that decide how often something is repeated tell copies apart here, so thirty blocks of which each uses the one
before twice are thirty bodies to look at, and not 2^30.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from dnnlang.diagnostics import Diagnostics
from dnnlang.graph.reader import Reader
from dnnlang.graph.repetition import copies_of
from dnnlang.graph.scope import ArgumentEntry, BlockEntry, CounterEntry, Scope
from dnnlang.graph.walk import names_in
from dnnlang.syntax.tree import BlockStatement, Expression, NodeStatement, RepeatStatement, Statement

MAX_NODES: Final = 1_000_000

Count = Generator["Count", int, int]
"""Counts a body; yields the count of another one that it needs. So bodies may use each other to any depth."""


@dataclass(slots=True)
class Amount:
    """Counts nodes. `blocks` come with those that a block uses before it. A copy counts as one node at least.

    What cannot be read counts as nothing: making the nodes will report it.
    """

    blocks: Mapping[str, BlockEntry]
    reader: Reader
    _program: Scope = field(init=False)
    _around: Scope = field(init=False)
    """What bodies of blocks see of the program."""
    _deciding: dict[str, frozenset[str]] = field(default_factory=dict)
    """For each block the parameters that decide how many nodes it makes."""
    _least: dict[str, int] = field(default_factory=dict)
    _known: dict[tuple[object, ...], int] = field(default_factory=dict)
    _names: dict[int, frozenset[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.reader = replace(self.reader, found=Diagnostics())
        self._program = self.reader.scope
        self._around = self._program.without_nodes()
        for name, entry in self.blocks.items():
            block = entry.statement
            self._deciding[name] = self._parameters(block)
            local = {n.id for n in (*block.positional, *(o.name for o in block.options), *block.inputs)}
            self._least[name] = max(1, self._at_least(block.body, local)) if not entry.broken else 0

    def of(self, statement: Statement) -> int:
        """The nodes that a statement of the program makes; from MAX_NODES on, not all are counted."""
        self.reader.scope = self._program
        least = self._at_least((statement,), set())
        if least >= MAX_NODES:
            return least
        stack: list[Count] = [self._body((statement,), self._program)]
        fresh, result = True, 0
        while stack:
            try:
                stack.append(next(stack[-1]) if fresh else stack[-1].send(result))
                fresh = True
            except StopIteration as done:
                fresh, result = False, done.value
                stack.pop()
        return result

    # ------------------------------------------------------------ counting

    def _at_least(self, statements: Iterable[Statement], local: set[str]) -> int:
        """A count that looks at every body once: what is repeated by a `local` name is left out."""
        amount = 0
        for statement in statements:
            if isinstance(statement, NodeStatement):
                amount += self._least.get(statement.kind.id, 1)
            elif isinstance(statement, RepeatStatement):
                ends = [e for e in (statement.first, statement.last) if e is not None]
                if any(n.id in local for end in ends for n in names_in(end)):
                    continue
                copies = copies_of(statement, self.reader)
                counter = {statement.variable.id} if statement.variable is not None else set()
                inside = self._at_least(statement.body, local | counter)
                amount += copies.count * max(1, inside) if copies is not None else 0
        return amount

    def _body(self, statements: Iterable[Statement], scope: Scope) -> Count:
        amount = 0
        for statement in statements:
            if isinstance(statement, RepeatStatement):
                amount += yield self._repeat(statement, scope)
            elif isinstance(statement, NodeStatement):
                entry = self.blocks.get(statement.kind.id)
                amount += 1 if entry is None else (yield self._block(entry, statement, scope))
            if amount >= MAX_NODES:
                break
        return amount

    def _repeat(self, statement: RepeatStatement, scope: Scope) -> Count:
        self.reader.scope = scope
        copies = copies_of(statement, self.reader)
        if copies is None or copies.count == 0:
            return 0
        counter = statement.variable
        if counter is None or counter.id not in self._deciding_names(statement):
            return copies.count * max(1, (yield self._body(statement.body, scope)))
        amount = 0
        for value in range(copies.first, copies.last + 1):
            inside = scope.within({counter.id: CounterEntry(counter.id, counter.span, value)})
            amount += max(1, (yield self._body(statement.body, inside)))
            if amount >= MAX_NODES:
                break
        return amount

    def _block(self, entry: BlockEntry, use: NodeStatement, scope: Scope) -> Count:
        if entry.broken:
            return 0
        block = entry.statement
        inside = Scope(self._around, block=block)
        values: list[object] = []
        for name, expression, default in _arguments(block, use):
            if name not in self._deciding[entry.name]:
                continue
            around = inside if default else scope
            self.reader.scope = around
            value = self.reader.argument(expression)
            values.append(value)
            inside.entries[name] = ArgumentEntry(name, use.span, value, expression, around, None)
        key = (entry.name, *values)
        if key not in self._known:
            self._known[key] = max(1, (yield self._body(block.body, inside)))
        return self._known[key]

    # ------------------------------------------------------------ what decides

    def _parameters(self, block: BlockStatement) -> frozenset[str]:
        """The parameters that decide how many nodes the block makes."""
        deciding = set(self._deciding_names(*block.body))
        for option in reversed(block.options):
            if option.name.id in deciding and option.default is not None:
                deciding.update(n.id for n in names_in(option.default))
        return frozenset(deciding & {n.id for n in (*block.positional, *(o.name for o in block.options))})

    def _deciding_names(self, *statements: Statement) -> frozenset[str]:
        """The names that decide how many nodes the statements make."""
        names: set[str] = set()
        for statement in statements:
            key = id(statement)  # the tree keeps it alive
            if key not in self._names:
                self._names[key] = frozenset(self._deciding_in(statement))
            names |= self._names[key]
        return frozenset(names)

    def _deciding_in(self, statement: Statement) -> set[str]:
        if isinstance(statement, RepeatStatement):
            inner = set(self._deciding_names(*statement.body))
            ends = [e for e in (statement.first, statement.last) if e is not None]
            return inner | {n.id for end in ends for n in names_in(end)}
        if not isinstance(statement, NodeStatement) or statement.kind.id not in self._deciding:
            return set()
        deciding = self._deciding[statement.kind.id]
        handed = _arguments(self.blocks[statement.kind.id].statement, statement)
        return {n.id for name, e, default in handed if name in deciding and not default for n in names_in(e)}


def _arguments(block: BlockStatement, use: NodeStatement) -> Iterable[tuple[str, Expression, bool]]:
    """Each parameter with what it stands for in a use, and whether that is the default."""
    for name, operand in zip(block.positional, use.operands, strict=False):
        yield name.id, operand, False
    keys = {k.key.id: k.value for k in use.keys}
    for option in block.options:
        if option.name.id in keys:
            yield option.name.id, keys[option.name.id], False
        elif option.default is not None:
            yield option.name.id, option.default, True
