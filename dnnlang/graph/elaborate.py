"""Node statements → drafts: kinds, sources, operands and keys resolved, sizes put into equations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from dnnlang.diagnostics import Diagnostic, Label, rule
from dnnlang.diagnostics.suggest import meant, replacement
from dnnlang.graph import misread
from dnnlang.graph.architecture import Copy
from dnnlang.graph.draft import Draft
from dnnlang.graph.given import Slot
from dnnlang.graph.kinds import INPUT, KINDS, NodeKind, Shaping
from dnnlang.graph.kinds.input import symbol_name
from dnnlang.graph.nodetable import no_node_above
from dnnlang.graph.origin import Open, Written, describe, trail_labels
from dnnlang.graph.params import WRONG_OVERRIDE
from dnnlang.graph.reader import Reader, text_of
from dnnlang.graph.scope import BlockEntry, NodeEntry
from dnnlang.graph.solver import Equation, Solver
from dnnlang.graph.values import TOO_LARGE
from dnnlang.sizes import Size, SizeError, symbol
from dnnlang.source import Span
from dnnlang.syntax.tree import InputStatement, Keyword, Name, NodeStatement, RepeatStatement

UNKNOWN_KIND = rule(
    "DNN110",
    "unknown-kind",
    "A statement begins with a name that is no kind of node.",
    why="What stands first says what the node computes, so nothing can be guessed from a name that does not exist.",
    wrong="layer 5 relu\nlayr 5 relu\nlayer 1 sigmoid\n",
    right="layer 5 relu\nlayer 5 relu\nlayer 1 sigmoid\n",
)
WRONG_OPERANDS = rule(
    "DNN111",
    "wrong-operands",
    "A node statement has too few or too many operands.",
    why="Each kind has a fixed list of operands, in a fixed order.",
    wrong="layer 5 relu\ndropout\nlayer 1 sigmoid\n",
    right="layer 5 relu\ndropout 0.5\nlayer 1 sigmoid\n",
)
UNKNOWN_KEY = rule(
    "DNN118",
    "unknown-key",
    "A statement has a key that it does not know, or the same key twice.",
    why="A key that is not understood is never ignored: the network would not be the one you meant.",
    wrong="layer 5 relu intt=he\nlayer 1 sigmoid\n",
    right="layer 5 relu init=he\nlayer 1 sigmoid\n",
)
WRONG_INPUTS = rule(
    "DNN119",
    "wrong-inputs",
    "A node takes in too few or too many nodes.",
    why="`add`, `multiply` and `concat` join two or more nodes; every other kind takes one.",
    wrong="layer 5 relu\nadd\nlayer 1 sigmoid\n",
    right="layer 5 relu as h\nlayer 5\nadd from h, _\nlayer 1 sigmoid\n",
)


class UnknownKind(NodeKind):
    """Stands in for a kind that does not exist; its nodes have failed."""

    name = ""
    sentence = ""


UNKNOWN: Final = UnknownKind()


@dataclass(slots=True)
class Elaboration:
    """Makes a draft of one statement at a time, in `reader.scope`, after `reader.previous`, in the copy `within`.

    Drafts, numbers and equations are those of the whole expanded program.
    """

    reader: Reader
    solver: Solver
    sizes: Mapping[str, int]
    several_inputs: bool
    within: Copy | None = None
    _shaping: Shaping = field(init=False)

    def __post_init__(self) -> None:
        self._shaping = Shaping(self.solver, self.reader)

    def implied_input(self, span: Span) -> Draft:
        """The input of a program that declares none, named at the first node."""
        draft = Draft("X", INPUT, 0, span, units=symbol("n[0]"), origin=Open("n[0]", span))
        self.reader.nodes.enter(draft)
        self._bind_input(draft)
        self.reader.previous = draft
        return draft

    # ------------------------------------------------------------ inputs

    def input(self, statement: InputStatement) -> Draft:
        number = self.reader.nodes.next_number("input") if self.several_inputs else 0
        alias = statement.alias.id if statement.alias is not None else None
        name = alias or (f"input[{number}]" if number else "X")
        draft = Draft(name, INPUT, number, statement.span, alias)
        self._enter(draft, statement.alias)
        if statement.keys:
            self._unknown_key(statement.keys[0], "input", (), statement.keys)
        if statement.size is None:
            open_size = symbol_name(draft)
            draft.units = symbol(open_size)
            draft.origin = Open(open_size, statement.span)
        else:
            draft.units = self.reader.size(statement.size)
            draft.origin = Written(statement.size, statement.span, self.reader.scope)
        self._bind_input(draft)
        return draft

    def _bind_input(self, draft: Draft) -> None:
        """Use the size given for it from outside, if one is."""
        name = symbol_name(draft)
        given = self.sizes.get(name)
        if given is None or draft.units is None:
            return
        setting = f"-D {name}={given}"

        def conflict(left: Size, _right: Size) -> Diagnostic:
            assert draft.units is not None
            return WRONG_OVERRIDE.at(
                draft.span,
                f"`{setting}` does not fit: the program says that {name} is {left}",
                labels=[
                    Label(
                        draft.origin.span if draft.origin is not None else draft.span,
                        describe(draft.units, draft.origin, self.solver),
                    ),
                    *trail_labels(self.solver, [draft.units]),
                ],
                help=f"leave `{setting}` out, or change the program",
            )

        self.solver.equate(Equation(draft.units, given, None, f"`{setting}` says so", conflict))

    # ------------------------------------------------------------ nodes

    def node(self, statement: NodeStatement) -> Draft:
        """The node of a statement whose kind is no block."""
        kind = KINDS.get(statement.kind.id)
        if kind is None:
            self.reader.found.add(self.unknown_kind(statement.kind))
            return self.failed(statement.kind.id, statement)
        number = self.reader.nodes.next_number(kind.name)
        alias = statement.alias.id if statement.alias is not None else None
        name = f"{kind.name}[{number}]" if alias is None or self.within is not None else alias
        draft = Draft(name, kind, number, statement.span, alias, within=self.within)
        complete = self._has_from(statement, kind) and self._sources(statement, draft)
        complete = self._operands(statement, draft) and complete
        for keyword in statement.keys:
            self._key(keyword, draft, statement)
        self._enter(draft, statement.alias)
        try:
            if complete and not any(source.failed for source in draft.inputs):
                draft.units = kind.shape(draft, self._shaping)
            else:
                draft.units = kind.units_alone(draft, self._shaping)
        except SizeError as error:
            self._too_long(draft, error)
        return draft

    def _enter(self, draft: Draft, alias: Name | None) -> None:
        self.reader.nodes.enter(draft)
        if alias is None:
            return
        entry = self.reader.scope.entries.get(alias.id)
        if isinstance(entry, NodeEntry) and entry.span == alias.span:
            entry.draft = draft

    def failed(self, name: str, statement: NodeStatement | RepeatStatement) -> Draft:
        """Stands in for the value of a statement with a mistake, which has been reported."""
        number = self.reader.nodes.next_number("")
        alias = statement.alias.id if statement.alias is not None else None
        draft = Draft(alias or name, UNKNOWN, number, statement.span, alias, within=self.within)
        self._enter(draft, statement.alias)
        return draft

    def unknown_kind(self, name: Name) -> Diagnostic:
        kinds = [*self.reader.scope.names(BlockEntry), *KINDS]
        near = meant(name.span, kinds)
        statement = meant(name.span, misread.STATEMENTS)
        library = self.reader.library
        other = misread.KINDS_ELSEWHERE.get(name.id.lower())
        fix = replacement(name.span, other) if other in ("layer", "apply", "dropout") else None
        own = meant(name.span, self.reader.scope.names(BlockEntry))
        elsewhere = misread.of_kind(name)
        if own is not None:
            advice, fix = own.help, own.fix
        elif elsewhere is not None:
            advice = elsewhere
        elif near is not None:
            advice, fix = near.help, near.fix
        elif statement is not None:
            advice = statement.help
        elif library.has("activation", name.id):
            advice = f"`{name.id}` is an activation: write `apply {name.id}`, or `layer 5 {name.id}`"
        else:
            advice = f"there are {', '.join(f'`{k}`' for k in kinds)}"
        return UNKNOWN_KIND.at(name.span, f"there is no kind of node `{name.id}`", help=advice, fix=fix)

    def sources(self, statement: NodeStatement) -> tuple[Draft, ...] | None:
        """The nodes that go into a node or block; None after a diagnostic."""
        if statement.sources is None:
            previous = self.reader.previous
            if previous is None:
                self.reader.found.add(no_node_above(statement.kind, self.reader.scope))
                return None
            return (previous,)
        found = [self.reader.node(reference) for reference in statement.sources]
        present = tuple(source for source in found if source is not None)
        return present if len(present) == len(found) else None

    def _has_from(self, statement: NodeStatement, kind: NodeKind) -> bool:
        """False if nodes stand among the operands, where a `from` was forgotten."""
        forgotten = misread.of_sources(statement, kind, self.reader)
        if forgotten is None:
            return True
        nodes, line = forgotten
        self.reader.found.add(
            WRONG_OPERANDS.at(
                nodes[0].span.to(nodes[-1].span),
                f"what goes into `{kind.name}` stands after `from`",
                help=f"write `{line}`",
            )
        )
        return False

    def _sources(self, statement: NodeStatement, draft: Draft) -> bool:
        """Fill in `inputs` and `places`. False if something is wrong with them."""
        sources = self.sources(statement)
        if sources is None:
            return False
        draft.inputs = sources
        places = statement.sources
        draft.places = (statement.kind.span,) if places is None else tuple(reference.span for reference in places)
        kind, count = draft.kind, len(draft.inputs)
        if kind.least <= count and (kind.most is None or count <= kind.most):
            return True
        self.reader.found.add(self._wrong_inputs(statement, kind, count))
        return False

    def _operands(self, statement: NodeStatement, draft: Draft) -> bool:
        """Read the operands into `given`. False if a required one is missing or wrong."""
        slots, written = draft.kind.operands, statement.operands
        if any(misread.of_operand_key(keyword, draft.kind) is not None for keyword in statement.keys):
            return False
        if misread.of_sources(statement, draft.kind, self.reader) is not None:
            written = written[: len(slots)]
        if len(written) > len(slots) or any(not s.optional for s in slots[len(written) :]):
            self.reader.found.add(self._wrong_operands(statement, draft.kind))
            return False
        for slot, expression in zip(slots, written, strict=False):
            value = slot.read(expression, self.reader)
            draft.given.written[slot.name] = expression
            if value is not None:
                draft.given.values[slot.name] = value
            elif not slot.optional:
                return False  # what follows may be read wrongly for the same reason
        return True

    def _key(self, keyword: Keyword, draft: Draft, statement: NodeStatement) -> None:
        slot: Slot[Any] | None = next((s for s in draft.kind.keys if s.name == keyword.key.id), None)
        operand = misread.of_operand_key(keyword, draft.kind)
        if slot is None and operand is not None:
            if keyword is not next(k for k in statement.keys if misread.of_operand_key(k, draft.kind) is not None):
                return  # one message says how to write all of them
            message = f"the {operand.form} of `{draft.kind.name}` is no key: it stands right after `{draft.kind.name}`"
            advice = f"write `{misread.without_keys(statement, draft.kind)}`"
            self.reader.found.add(UNKNOWN_KEY.at(keyword.span, message, help=advice))
            return
        if slot is None:
            self._unknown_key(keyword, draft.kind.name, draft.kind.keys, statement.keys)
            return
        if slot.name in draft.given.written:
            self.reader.found.add(
                UNKNOWN_KEY.at(
                    keyword.span,
                    f"`{slot.name}` is given twice",
                    labels=[Label(draft.given.span(slot), "first here")],
                    help="take one out",
                )
            )
            return
        draft.given.written[slot.name] = keyword.value
        value = slot.read(keyword.value, self.reader)
        if value is not None:
            draft.given.values[slot.name] = value

    def _unknown_key(
        self, keyword: Keyword, kind: str, keys: tuple[Slot[Any], ...], together: tuple[Keyword, ...]
    ) -> None:
        """`together` are all keys of the statement: what is given already is not what was meant."""
        key, taken = keyword.key, {k.key.id for k in together}
        near = meant(key.span, [slot.name for slot in keys if slot.name not in taken])
        elsewhere = misread.of_key(key.id, kind)
        if near is not None:
            advice, fix = near.help, near.fix
        elif elsewhere is not None:
            advice, fix = elsewhere, None
        else:
            listed = ", ".join(f"`{slot.form}`" for slot in keys)
            plural = "keys" if len(keys) > 1 else "key"
            advice, fix = f"`{kind}` has {f'the {plural} {listed}' if listed else 'no keys'}", None
        self.reader.found.add(UNKNOWN_KEY.at(key.span, f"`{kind}` has no key `{key.id}`", help=advice, fix=fix))

    def _wrong_operands(self, statement: NodeStatement, kind: NodeKind) -> Diagnostic:
        written, library = statement.operands, self.reader.library
        if len(written) > len(kind.operands):
            for word in written:
                near = meant(word.span, ["from"]) if isinstance(word, Name) and len(word.id) > 2 else None
                if near is not None:
                    message = f"`{word.span.text}` is one operand too many for `{kind.name}`"
                    return WRONG_OPERANDS.at(word.span, message, help=near.help, fix=near.fix)
            told = misread.of_operands(statement, kind, self.reader)
            if told is not None:
                return WRONG_OPERANDS.at(told[0], told[1], help=told[2])
            extra = written[len(kind.operands)]
            many = f"{len(kind.operands)} operand{'s' if len(kind.operands) > 1 else ''}" if kind.operands else "none"
            return WRONG_OPERANDS.at(
                extra.span,
                f"`{text_of(extra)}` is one operand too many: `{kind.name}` takes {many}",
                help=f"write `{kind.usage()}`; nodes stand after `from`",
            )
        missing = next(s for s in kind.operands[len(written) :] if not s.optional)
        example = "64" if missing.form == "SIZE" else "0.5" if missing.form == "RATE" else "relu"
        names = [f"`{a}`" for a in library.names("activation")[:4]] if missing.form == "ACTIVATION" else []
        return WRONG_OPERANDS.at(
            statement.kind.span,
            f"`{kind.name}` needs its {missing.form}: {missing.sentence}",
            notes=[f"activations are {', '.join(names)}, …"] if names else [],
            help=f"write `{kind.name} {example}`",
        )

    def _too_long(self, draft: Draft, error: SizeError) -> None:
        self.reader.found.add(
            TOO_LARGE.at(
                draft.span,
                f"the size of this node is too large: {error}",
                help="bind the open sizes to numbers, or make the formula simpler",
            )
        )

    def _wrong_inputs(self, statement: NodeStatement, kind: NodeKind, count: int) -> Diagnostic:
        if count > (kind.most or count):
            extra = statement.sources[kind.most or 0] if statement.sources is not None else statement.kind
            joined = ", ".join(" ".join(s.span.text.split()) for s in statement.sources or ())
            return WRONG_INPUTS.at(
                extra.span,
                f"`{kind.name}` takes in one node, and here are {count}",
                help=f"join them first: `concat from {joined}` on the line above",
            )
        only = text_of(statement.sources[0]) if statement.sources else "_"
        others = misread.other_nodes([only], self.reader)
        if only != "_" and self.reader.scope.find(only) is not None and self._is_not_above(only):
            others = ["_"]
        advice = (
            f"name both: `{kind.name} from {others[0]}, {only}`"
            if others
            else (f"give the other node a name with `as h`, and write `{kind.name} from h, {only}`")
        )
        return WRONG_INPUTS.at(
            statement.kind.span if not statement.sources else statement.sources[0].span,
            f"`{kind.name}` joins two or more nodes, and here is one",
            help=advice,
        )

    def _is_not_above(self, name: str) -> bool:
        """Is it another node than the one just above?"""
        entry = self.reader.scope.find(name)
        return isinstance(entry, NodeEntry) and entry.draft is not self.reader.previous
