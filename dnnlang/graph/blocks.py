"""Blocks: which there are, what is wrong with them before any is used, and what is handed to one when it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

from dnnlang.diagnostics import Diagnostic, Diagnostics, Label, rule
from dnnlang.diagnostics.suggest import meant
from dnnlang.graph.reader import Reader
from dnnlang.graph.scope import ArgumentEntry, BlockEntry, Entry, Scope, is_reserved, line_of
from dnnlang.graph.walk import text_of
from dnnlang.syntax.tree import BlockStatement, Expression, Keyword, Name, NodeStatement, RepeatStatement, Statement

RECURSION = rule(
    "DNN125",
    "block-recursion",
    "A block uses itself, directly or through others.",
    why="Using a block puts its body in the place of the use. A body that contains itself would never end; "
    "`repeat` is how a body stands in a network many times.",
    wrong="block tower(k) {\n    layer k relu\n    tower k\n}\ntower 8\nlayer 1 sigmoid\n",
    right="block tower(k) {\n    repeat 3 { layer k relu }\n}\ntower 8\nlayer 1 sigmoid\n",
)
EMPTY_BODY = rule(
    "DNN126",
    "empty-body",
    "The body of a `block` or a `repeat` has no nodes.",
    why="The value of a body is its last node, so a body without nodes has none.",
    wrong="repeat 3 { }\nlayer 1 sigmoid\n",
    right="repeat 3 { layer 5 relu }\nlayer 1 sigmoid\n",
)
WRONG_ARGUMENTS = rule(
    "DNN127",
    "wrong-arguments",
    "A block is given too few or too many operands, or a key that it does not have.",
    why="The head of a block says what it takes: operands in their order, then options as `key=value`. Nothing is "
    "guessed, and nothing ignored.",
    wrong="block dense(k; rate=0.1) {\n    layer k relu\n    dropout rate\n}\ndense 8 0.2\nlayer 1 sigmoid\n",
    right="block dense(k; rate=0.1) {\n    layer k relu\n    dropout rate\n}\ndense 8 rate=0.2\nlayer 1 sigmoid\n",
)
SHADOWS_KIND = rule(
    "DNN301",
    "shadows-kind",
    "A block of yours has the name of a standard kind of node, and takes its place in this program.",
    why="It is allowed, so that a kind added to the language later breaks no program; but a reader may expect the "
    "standard one.",
    wrong="block dropout(rate) from x {\n    layer 8 relu\n}\ndropout 0.5\nlayer 1 sigmoid\n",
    right="block thin(rate) from x {\n    layer 8 relu\n}\nthin 0.5\nlayer 1 sigmoid\n",
    severity="warning",
)

_MOST_LABELS: Final = 6


def check_blocks(entries: Iterable[Entry], kinds: Iterable[str], found: Diagnostics) -> dict[str, BlockEntry]:
    """The blocks among the entries of a program, those that a block uses before it.

    Mistakes in heads, empty bodies and circles are reported, and such blocks are `broken`. `kinds` are the standard
    ones.
    """
    blocks = {entry.name: entry for entry in entries if isinstance(entry, BlockEntry)}
    standard = set(kinds)
    for entry in blocks.values():
        if entry.name in standard:
            found.add(_shadows(entry))
        if not _head_is_sound(entry.statement, found):
            entry.broken = True
        elif not entry.statement.body:
            entry.broken = True
            found.add(no_value(entry.statement, f"the block `{entry.name}` has no nodes, so using it makes nothing"))
    return _innermost_first(blocks, found)


def uses(body: Iterable[Statement]) -> Iterator[NodeStatement]:
    """The node statements of a body and of the repeats in it, some of which are uses of blocks."""
    for statement in body:
        if isinstance(statement, NodeStatement):
            yield statement
        elif isinstance(statement, RepeatStatement):
            yield from uses(statement.body)


def no_value(statement: BlockStatement | RepeatStatement, message: str) -> Diagnostic:
    return EMPTY_BODY.at(statement.head, message, help="write at least one node between the braces")


# ---------------------------------------------------------------- declarations


def _head_is_sound(block: BlockStatement, found: Diagnostics) -> bool:
    """Is every name in the head a new one, and does every option have a default?"""
    before = len(found.found)
    seen: dict[str, Name] = {}
    for name in (*block.positional, *(o.name for o in block.options), *block.inputs):
        if is_reserved(name, found):
            continue
        first = seen.setdefault(name.id, name)
        if first is not name:
            found.add(
                WRONG_ARGUMENTS.at(
                    name.span,
                    f"`{name.id}` stands twice in the head of the block `{block.name.id}`",
                    labels=[Label(first.span, "first here")],
                    help="give one of them another name",
                )
            )
    return len(found.found) == before


def _innermost_first(blocks: Mapping[str, BlockEntry], found: Diagnostics) -> dict[str, BlockEntry]:
    """The blocks, each after those that it uses; circles are reported, and what is in them is broken."""
    needs = {
        name: list(dict.fromkeys(use.kind.id for use in uses(entry.statement.body) if use.kind.id in blocks))
        for name, entry in blocks.items()
    }
    done: dict[str, BlockEntry] = {}
    for start in blocks:
        path = {start: iter(needs[start])} if start not in done else {}
        while path:
            name = next(reversed(path))
            following = next((n for n in path[name] if n not in done), None)
            if following is None:
                del path[name]
                done[name] = blocks[name]
            elif following in path:
                circle = list(path)[list(path).index(following) :]
                if not any(blocks[n].broken for n in circle):
                    found.add(_recursion(circle, blocks))
                for n in circle:
                    blocks[n].broken = True
            else:
                path[following] = iter(needs[following])
    return done


def _recursion(circle: Sequence[str], blocks: Mapping[str, BlockEntry]) -> Diagnostic:
    names = [*circle, circle[0]]
    labels = []
    for name, following in pairwise(names):
        use = next(u for u in uses(blocks[name].statement.body) if u.kind.id == following)
        labels.append(Label(use.kind.span, f"`{name}` uses `{following}` here"))
    shown = names if len(names) <= _MOST_LABELS else [*names[:3], "…", *names[-2:]]
    return RECURSION.at(
        blocks[circle[0]].span,
        f"the block `{circle[0]}` uses itself: {' → '.join(shown)}",
        labels=labels[:_MOST_LABELS],
        help="blocks do not recurse; `repeat` puts a body in place many times",
    )


def _shadows(entry: BlockEntry) -> Diagnostic:
    return SHADOWS_KIND.at(
        entry.span,
        f"this block takes the place of the standard kind `{entry.name}` in this program",
        help="choose another name to keep both",
    )


# ---------------------------------------------------------------- uses


def hand_over(statement: NodeStatement, block: BlockStatement, reader: Reader, scope: Scope) -> bool:
    """Enter the parameters of a block into the scope of its body. False after a diagnostic.

    Operands and keys are read where the block is used, defaults in the body's own scope, so that one can use what
    stands before it in the head.
    """
    operands = dict(zip([p.id for p in block.positional], statement.operands, strict=False))
    keys = _keys(statement, block, reader.found)
    if keys is None:
        return False
    if len(statement.operands) != len(block.positional):
        reader.found.add(_wrong_count(statement, block))
        return False
    complete = True
    for name in (*block.positional, *(o.name for o in block.options)):
        expression = operands.get(name.id) or keys.get(name.id)
        if expression is not None:
            value = reader.argument(expression)
            scope.entries[name.id] = ArgumentEntry(name.id, name.span, value, expression, reader.scope, statement.span)
        else:
            default = next(o.default for o in block.options if o.name is name)
            assert default is not None  # the grammar asks for one
            outside, reader.scope = reader.scope, scope
            value = reader.argument(default)
            reader.scope = outside
            scope.entries[name.id] = ArgumentEntry(name.id, name.span, value, default, scope, None)
        complete = complete and value is not None
    return complete


def form(block: BlockStatement) -> str:
    """`residual k [rate=0.1] from x`: how the block is used."""
    words = [block.name.id, *(p.id for p in block.positional)]
    words += [f"[{o.name.id}={text_of(o.default)}]" for o in block.options if o.default is not None]
    if len(block.inputs) > 1:
        words += ["from", ", ".join(n.id for n in block.inputs)]
    return " ".join(words)


def _keys(statement: NodeStatement, block: BlockStatement, found: Diagnostics) -> dict[str, Expression] | None:
    """The options that the use gives; None after a diagnostic."""
    options = [o.name.id for o in block.options]
    given: dict[str, Keyword] = {}
    for keyword in statement.keys:
        key = keyword.key
        if key.id not in options:
            found.add(_unknown_key(keyword, block, options))
            return None
        if key.id in given:
            found.add(
                WRONG_ARGUMENTS.at(
                    keyword.span,
                    f"`{key.id}` is given twice",
                    labels=[Label(given[key.id].span, "first here")],
                    help="take one out",
                )
            )
            return None
        given[key.id] = keyword
    return {name: keyword.value for name, keyword in given.items()}


def _unknown_key(keyword: Keyword, block: BlockStatement, options: Sequence[str]) -> Diagnostic:
    key, fix = keyword.key, None
    near = meant(key.span, options)
    if any(p.id == key.id for p in block.positional):
        advice = f"it is an operand, which stands right after the name: `{form(block)}`"
    elif near is not None:
        advice, fix = near.help, near.fix
    else:
        advice = f"write `{form(block)}`" if options else f"it has no keys: write `{form(block)}`"
    return WRONG_ARGUMENTS.at(
        key.span,
        f"the block `{block.name.id}` has no key `{key.id}`",
        labels=[_declared(block)],
        help=advice,
        fix=fix,
    )


def _wrong_count(statement: NodeStatement, block: BlockStatement) -> Diagnostic:
    written, wanted = statement.operands, block.positional
    name = block.name.id
    if len(written) < len(wanted):
        missing = " and ".join(f"`{p.id}`" for p in wanted[len(written) :])
        message = f"the block `{name}` needs its operand{'s' if len(wanted) - len(written) > 1 else ''} {missing}"
        return WRONG_ARGUMENTS.at(
            statement.kind.span, message, labels=[_declared(block)], help=f"write `{form(block)}`"
        )
    extra = written[len(wanted)]
    many = f"{len(wanted)} operand{'s' if len(wanted) > 1 else ''}" if wanted else "no operands"
    advice = f"write `{form(block)}`"
    if len(written) <= len(wanted) + len(block.options):
        option = block.options[len(written) - len(wanted) - 1]
        value = text_of(extra)
        if value in [o.name.id for o in block.options] and option.default is not None:  # the name, without a value
            value = text_of(option.default)
        advice = f"options are given by name: `{option.name.id}={value}`"
    return WRONG_ARGUMENTS.at(
        extra.span,
        f"`{text_of(extra)}` is one operand too many: the block `{name}` takes {many}",
        labels=[_declared(block)],
        help=advice,
    )


def _declared(block: BlockStatement) -> Label:
    return Label(block.head, f"the block, declared on {line_of(block.span)}")
