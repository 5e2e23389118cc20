"""One layout for every program: `dnnc fmt`.

The rules, which `dnnc fmt --help` tells too:

- A statement a line, four blanks further in each body, no more than one blank line in a row. A body that was written
  on one line, and a file whose statements were, stay so while they fit: `layer 5 relu; layer 1 sigmoid`.
- One blank between words and around operators (spacing.py). The values of `train` stand below each other.
- A line that is too long is broken inside its parentheses, and only there (breaking.py).
- Comments stay where they are. Those at the ends of neighbouring lines (the same indent, neither a blank line nor
  a comment nor the ends of a body between them) stand below each other, two blanks behind the longest of these lines.

Nothing else of the text decides: neither blanks nor line breaks inside parentheses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, is_dataclass

from dnnlang.diagnostics import Diagnostics
from dnnlang.diagnostics.display import width
from dnnlang.errors import InternalError
from dnnlang.source import SourceFile, Span
from dnnlang.syntax.breaking import INDENT, WIDTH, Line, flat, lines
from dnnlang.syntax.parser import parse, scan
from dnnlang.syntax.pieces import Body, Comment, Piece, Statement, comments, read
from dnnlang.syntax.spacing import prepare
from dnnlang.syntax.tree import Tree


def formatted(source: SourceFile, found: Diagnostics) -> str | None:
    """The program in the one layout; None if it has syntax errors, which are in `found`.

    Line ends are all as the first one of the text; the last line has one too. Raises InternalError rather than
    return a text that means something else or has lost a comment.
    """
    tree = parse(source, found)
    if not tree.complete:
        return None
    body = read(source, scan(source))
    _prepare(body)
    end = "\r\n" if source.text.partition("\n")[0].endswith("\r") else "\n"
    after = SourceFile(source.name, "".join(f"{line}{end}" for line in _written(_file(body))))
    _verify(source, tree, after)
    return after.text


def on_one_line(span: Span) -> str:
    """What stands there, a statement without a body, with the blanks of the layout and without its comments."""
    tokens = [token for token in scan(SourceFile(span.source.name, span.text)) if token.type != "NEWLINE"]
    pieces = [Piece(token.type, token.text) for token in tokens]
    prepare(pieces)
    return "".join(piece.gap + piece.text for piece in pieces)


# ---------------------------------------------------------------- statements and bodies


def _prepare(body: Body) -> None:
    for entry in body.entries:
        if isinstance(entry, Comment):
            continue
        prepare(entry.head)
        if entry.body is not None:
            _prepare(entry.body)
            prepare(entry.tail)


def _file(body: Body) -> Iterator[Line]:
    places = [place for place, entry in enumerate(body.entries) if isinstance(entry, Statement)]
    statements = [entry for entry in body.entries if isinstance(entry, Statement)]
    text = _joined(statements) if body.one_line and len(statements) > 1 else None
    if text is None or len(text) > WIDTH:
        return _entries(body.entries, 0)
    piece = Piece("", text, behind=statements[-1].last.behind)
    together = Statement([piece], None, [], statements[0].blank, joined=False)
    return _entries([*body.entries[: places[0]], together, *body.entries[places[-1] + 1 :]], 0)


def _entries(entries: Sequence[Statement | Comment], indent: int) -> Iterator[Line]:
    for number, entry in enumerate(entries):
        if number and entry.blank:
            yield Line(0)
        if isinstance(entry, Comment):
            yield Line(indent, comment=entry.text, continues=entry.continues)
        else:
            yield from _statement(entry, indent)


def _statement(statement: Statement, indent: int) -> Iterator[Line]:
    text = _flat(statement)
    if text is not None and indent + len(text) <= WIDTH:
        yield Line(indent, text, statement.last.behind)
        return
    yield from lines(statement.head, indent)
    if statement.body is None:
        return
    if statement.head[0].type == "TRAIN":
        _align_values(statement.body)
    yield from _entries(statement.body.entries, indent + INDENT)
    yield from lines(statement.tail, indent)


def _align_values(settings: Body) -> None:
    """One column for the values of all settings."""
    heads = [entry.head for entry in settings.entries if isinstance(entry, Statement)]
    longest = max((len(key.text) for key, *_ in heads), default=0)
    for key, value, *_ in heads:
        value.gap = " " * (longest + 1 - len(key.text))


def _flat(statement: Statement) -> str | None:
    """The statement in one line; None if it cannot be, or was not meant to be."""
    head = flat(statement.head)
    if statement.body is None or head is None:
        return head
    inside, tail = _flat_body(statement.body), flat(statement.tail)
    if inside is None or tail is None or statement.head[-1].behind is not None:
        return None
    return f"{head} {inside} {tail}" if inside else f"{head}{tail}"


def _flat_body(body: Body) -> str | None:
    statements = [entry for entry in body.entries if isinstance(entry, Statement)]
    if len(statements) < len(body.entries) or (statements and not body.one_line):
        return None
    return _joined(statements)


def _joined(statements: Iterable[Statement]) -> str | None:
    texts = []
    for statement in statements:
        text = _flat(statement)
        if text is None:
            return None
        texts.append(text)
    return "; ".join(texts)


# ---------------------------------------------------------------- lines and the comments at their ends


def _written(laid_out: Iterable[Line]) -> Iterator[str]:
    group: list[Line] = []
    for line in laid_out:
        if group and not _belongs(line, group):
            yield from _group(group)
            group = []
        group.append(line)
    if group:
        yield from _group(group)


def _belongs(line: Line, group: Sequence[Line]) -> bool:
    """Whether the comment of `line` stands below those of the group."""
    if not group[0].text or line.indent != group[0].indent:
        return False
    if not line.text:
        return line.continues and group[-1].comment is not None
    return not any(_opens_or_closes(each.text) for each in (line, *group[-1:]))


def _opens_or_closes(text: str) -> bool:
    return text[:1] in (")", "}") or text[-1:] in ("(", "{")


def _group(group: Sequence[Line]) -> Iterator[str]:
    """Their comments in one column, or, if that would take one over the width, each behind its own line."""
    if not group[0].text:
        yield " " * group[0].indent + group[0].comment if group[0].comment is not None else ""
        return
    commented = [(_end(line), width(line.comment)) for line in group if line.text and line.comment is not None]
    common = max((end for end, _ in commented), default=0)
    apart = any(end + long <= WIDTH < common + long for end, long in commented)
    column = common
    for line in group:
        text = " " * line.indent + line.text
        if line.comment is None:
            yield text
            continue
        if apart and line.text:
            column = _end(line)
        yield text + " " * (column - width(text)) + line.comment


def _end(line: Line) -> int:
    return line.indent + width(line.text) + 2


# ---------------------------------------------------------------- nothing may be lost


def _verify(before: SourceFile, tree: Tree, after: SourceFile) -> None:
    found = Diagnostics()
    again = parse(after, found)
    if not again.complete or not _same(tree.statements, again.statements):
        raise InternalError(f"the layout of {before.name} would change what the program means")
    if comments(before, scan(before)) != comments(after, scan(after)):
        raise InternalError(f"the layout of {before.name} would lose a comment")


def _same(a: object, b: object) -> bool:
    """Whether two trees are equal but for places."""
    pairs = [(a, b)]
    while pairs:
        a, b = pairs.pop()
        if type(a) is not type(b):
            return False
        if isinstance(a, tuple) and isinstance(b, tuple):
            if len(a) != len(b):
                return False
            pairs += zip(a, b, strict=True)
        elif isinstance(a, Span):
            continue
        elif is_dataclass(a):
            pairs += [(getattr(a, field.name), getattr(b, field.name)) for field in fields(a)]
        elif a != b:
            return False
    return True
