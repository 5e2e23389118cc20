"""Tree → Architecture. The steps stand in `build`, in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from dnnlang.collector import collector_paused
from dnnlang.diagnostics import Diagnostic, Diagnostics, Rule, rule
from dnnlang.diagnostics.allow import silence
from dnnlang.graph.advice import advise
from dnnlang.graph.amount import MAX_NODES, Amount
from dnnlang.graph.architecture import Architecture, Requirement
from dnnlang.graph.blocks import EMPTY_BODY, check_blocks, uses
from dnnlang.graph.consequences import without_consequences
from dnnlang.graph.definitions import Library
from dnnlang.graph.draft import Draft
from dnnlang.graph.elaborate import UNKNOWN_KIND, WRONG_INPUTS, Elaboration
from dnnlang.graph.expand import Expander
from dnnlang.graph.expectations import FALSE_RELATION, FALSE_SHAPE, Expectations
from dnnlang.graph.finish import (
    NETWORK_TOO_LARGE,
    Checked,
    check_amount,
    check_sizes,
    finish,
    too_many_nodes,
)
from dnnlang.graph.kinds import INPUT, KINDS, Making
from dnnlang.graph.kinds.elementwise import UNEQUAL_INPUTS
from dnnlang.graph.kinds.sharing import SHARED_SHAPE
from dnnlang.graph.located import Located
from dnnlang.graph.losses import AMBIGUOUS_LOSS, LossDraft, read_losses, read_outputs
from dnnlang.graph.nodetable import NO_NODE_ABOVE, NODE_BELOW, UNKNOWN_NODE
from dnnlang.graph.params import Number, bind, evaluate_params, override_conflict, read_sizes
from dnnlang.graph.reader import Reader
from dnnlang.graph.scope import BlockEntry, DimEntry, Scope, declare
from dnnlang.graph.settings import PATIENCE_ALONE, SETTINGS, read_settings
from dnnlang.graph.solver import Equation, Solver
from dnnlang.graph.tensors import UNKNOWN_TENSOR, Tensors
from dnnlang.graph.values import TOO_LARGE
from dnnlang.sizes import SizeError, symbol
from dnnlang.source import Span
from dnnlang.syntax.imports import with_imports
from dnnlang.syntax.tree import (
    BlockStatement,
    DefineStatement,
    ExpectRelation,
    ExpectShape,
    InputStatement,
    LossStatement,
    NodeStatement,
    OutputStatement,
    ParamStatement,
    RepeatStatement,
    Statement,
    TrainStatement,
    Tree,
)

EMPTY = rule(
    "DNN123",
    "empty-program",
    "A program without a single node.",
    why="There is nothing to compute. A whole program can be as short as `layer 1 sigmoid`.",
    wrong="input 3\n",
    right="input 3\nlayer 1 sigmoid\n",
)

GLOBAL: Final[tuple[Rule, ...]] = (
    EMPTY,
    EMPTY_BODY,
    NO_NODE_ABOVE,
    NODE_BELOW,
    WRONG_INPUTS,
    UNEQUAL_INPUTS,
    SHARED_SHAPE,
    UNKNOWN_TENSOR,
    FALSE_SHAPE,
    FALSE_RELATION,
    AMBIGUOUS_LOSS,
    PATIENCE_ALONE,
    NETWORK_TOO_LARGE,
)
"""Mistakes that a statement makes together with others: they may vanish once a syntax error elsewhere is corrected."""

SETTING_KEYS: Final = frozenset(setting.key for setting in SETTINGS)

Some = TypeVar("Some", bound=Statement)


@collector_paused()
def build(
    tree: Tree,
    found: Diagnostics,
    *,
    params: Mapping[str, Number] | None = None,
    sizes: Mapping[str, int] | None = None,
) -> Architecture | None:
    """The checked network of a program; None if it has errors, which are in `found`.

    `params` are values for params, in place of their defaults. `sizes` binds dims and open input sizes by the names
    that messages use (`n[0]`, `n[left]`, `d`), before anything is inferred. Where the parser left statements out, only
    mistakes are added that correcting them cannot mend. Imports are read before, by `with_imports`.
    """
    tree = with_imports(tree, None, found)
    sources = (tree.source, *tree.imports.values())
    if tree.complete:
        architecture = _Build(tree, Located(found), params or {}, sizes or {}).run()
        without_consequences(found.found, tree)
        silence(found, sources, finished=architecture is not None)
        return architecture
    own = Diagnostics()
    _Build(tree, Located(own), params or {}, sizes or {}).run()
    for diagnostic in own.found:
        stays = diagnostic.rule not in GLOBAL or _is_unknown_layer(diagnostic)
        if stays and not _is_lost(diagnostic, tree.lost):
            found.add(diagnostic)
    without_consequences(found.found, tree)
    silence(found, sources, finished=False)
    return None


def _is_lost(diagnostic: Diagnostic, lost: frozenset[str]) -> bool:
    """Is the name that it misses in a statement that was left out?"""
    if diagnostic.rule is UNKNOWN_KIND and diagnostic.span is not None and diagnostic.span.text in SETTING_KEYS:
        return True  # the `{` after `train` is missing
    if diagnostic.rule is UNKNOWN_NODE and diagnostic.span is not None and "[" in diagnostic.span.text:
        base = diagnostic.span.text.partition("[")[0].strip()
        return base in KINDS or base in lost  # numbers of nodes are other than were meant
    if diagnostic.span is None:
        return True
    text = diagnostic.span.text
    return text in lost or (len(text) > 2 and any(word.startswith(text) for word in lost))  # `f(z)` mistyped as `fz)`


def _is_unknown_layer(diagnostic: Diagnostic) -> bool:
    """`W[stme]`: a name, and no number, which may be right once all layers are read."""
    span = diagnostic.span
    return diagnostic.rule is UNKNOWN_TENSOR and span is not None and span.text.isidentifier() and _in_brackets(span)


def _in_brackets(span: Span) -> bool:
    return span.source.text[: span.start].rstrip().endswith("[")


@dataclass(slots=True)
class _Build:
    tree: Tree
    found: Located
    params: Mapping[str, Number]
    sizes: Mapping[str, int]

    def run(self) -> Architecture | None:
        if not self._computes_something():
            return None
        statements = self.tree.statements
        scope = Scope()
        declare(statements, scope, self.found)
        blocks = check_blocks(scope.entries.values(), KINDS, self.found)
        library = Library.standard().extend(self._all(DefineStatement), self.found)
        reader = Reader(scope, library, self.found)
        params = evaluate_params(self._all(ParamStatement), reader, self.params)
        if self._is_too_large(Amount(blocks, reader)):
            return None
        dims = [entry for entry in scope.entries.values() if isinstance(entry, DimEntry)]
        solver = Solver(self.found, frozenset(d.name for d in dims))
        self._bind_dims(dims, solver)
        drafts, before = reader.nodes.drafts, self._expand(reader, solver, blocks)
        outputs = read_outputs(self._all(OutputStatement), reader, before)
        losses = read_losses(self._all(LossStatement), outputs, reader, before)
        settings = read_settings(self._all(TrainStatement), reader)
        making = Making(solver, library)
        requirements = self._expect(reader, solver, losses, making, before)
        requirements += check_sizes(drafts, solver, self.found)
        if self.found.failed or outputs is None or settings is None:
            return None
        advise(self.tree, drafts, outputs, losses, making, self.found)
        checked = Checked(self.tree, drafts, outputs, losses, settings, params, requirements)
        return self._finish(checked, making)

    def _computes_something(self) -> bool:
        """Is there a statement that makes nodes?"""
        if any(isinstance(s, NodeStatement | RepeatStatement) for s in self.tree.statements):
            return True
        self._empty()
        return False

    def _is_too_large(self, amount: Amount) -> bool:
        """Refuse a program of too many nodes before any is made."""
        count, largest, most = 0, None, 0
        for statement in self.tree.statements:
            if isinstance(statement, NodeStatement) and statement.kind.id not in amount.blocks:
                count += 1
            elif isinstance(statement, NodeStatement | RepeatStatement):
                made = amount.of(statement)
                count += made
                if made > most:
                    largest, most = statement, made
        if count >= MAX_NODES:
            self.found.add(too_many_nodes(count, most, largest or self.tree.statements[0]))
        return count >= MAX_NODES

    def _empty(self) -> None:
        declared = any(isinstance(s, InputStatement) for s in self.tree.statements)
        message = "there is an input, but nothing is computed from it" if declared else "the program has no nodes"
        advice = "write at least one node, for example `layer 1 sigmoid`"
        if any(isinstance(s, BlockStatement | DefineStatement) for s in self.tree.statements):
            advice += "; a file of blocks and definitions is checked by a program that imports it"
        self.found.add(EMPTY.at(Span(self.tree.source, 0, 0), message, help=advice))

    def _all(self, kind: type[Some]) -> list[Some]:
        return [s for s in self.tree.statements if isinstance(s, kind)]

    def _bind_dims(self, dims: Iterable[DimEntry], solver: Solver) -> None:
        self.sizes = read_sizes(self.tree, self.sizes, self.found)
        for dim in dims:
            size = self.sizes.get(dim.name)
            if size is not None:
                setting = f"-D {dim.name}={size}"
                conflict = override_conflict(dim.name, setting, dim.span)
                solver.equate(Equation(symbol(dim.name), size, None, f"`{setting}` says so", conflict))

    def _expand(self, reader: Reader, solver: Solver, blocks: Mapping[str, BlockEntry]) -> Mapping[int, Draft | None]:
        """Make the drafts; the node above each statement that asks for one."""
        inputs = self._all(InputStatement)
        elaboration = Elaboration(reader, solver, self.sizes, several_inputs=len(inputs) > 1)
        for entry in blocks.values():  # of those that are not used, too
            for use in uses(entry.statement.body):
                if use.kind.id not in KINDS and use.kind.id not in blocks:
                    self.found.add(elaboration.unknown_kind(use.kind))
        if not inputs:
            first = next(s for s in self.tree.statements if isinstance(s, NodeStatement | RepeatStatement))
            elaboration.implied_input(first.kind.span if isinstance(first, NodeStatement) else first.head)
        expander = Expander(elaboration, blocks, self.found)
        expander.run(self.tree.statements)
        if all(draft.kind is INPUT for draft in reader.nodes.drafts):
            self._empty()  # every body is repeated 0 times
        return expander.before

    def _expect(
        self,
        reader: Reader,
        solver: Solver,
        losses: list[LossDraft],
        making: Making,
        before: Mapping[int, Draft | None],
    ) -> list[Requirement]:
        """Check the `expect` lines, those that count parameters last; what they leave over."""
        tensors = Tensors(reader.nodes, tuple({id(use.node): use.node for use in losses}.values()), making)
        expectations = Expectations(reader, solver, tensors, [])
        lines = [s for s in self.tree.statements if isinstance(s, ExpectShape | ExpectRelation)]
        for line in sorted(lines, key=expectations.waits_for_parameters):
            tensors.previous = before[id(line)]
            try:
                if isinstance(line, ExpectShape):
                    expectations.shape(line)
                else:
                    expectations.relation(line)
            except SizeError as error:
                self.found.add(TOO_LARGE.at(line.span, f"this is too large: {error}", help="make it smaller"))
        return expectations.requirements

    def _finish(self, checked: Checked, making: Making) -> Architecture | None:
        making.parameters.clear()  # counted before every size was known
        architecture = finish(checked, making)
        check_amount(architecture.parameters, self.found)
        return None if self.found.failed else architecture


__all__ = ["bind", "build"]
