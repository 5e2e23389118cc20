"""The mistakes that the scanner, the layout and the builder of the tree find by themselves."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from dnnlang.diagnostics import Diagnostic, Edit, Fix, rule
from dnnlang.source import Span
from dnnlang.syntax.tree import (
    MAX_DEPTH,
    BlockStatement,
    DefineStatement,
    DimStatement,
    ExpectRelation,
    ExpectShape,
    ImportStatement,
    InputStatement,
    LossStatement,
    OutputStatement,
    ParamStatement,
    Statement,
    TrainStatement,
)

MAX_BODIES: Final = 50
"""How deep bodies may be nested in bodies, so that whoever walks them may recurse."""

FORBIDDEN_CHARACTER = rule(
    "DNN002",
    "forbidden-character",
    "A program holds a control character, or one that changes the direction of text.",
    why="Such characters are invisible: the program that you see is not the one that is read. They come from broken "
    "files or from copying, and sometimes from people who want to hide something.",
    wrong="layer 5 relu\nlayer 1 sigmoid  # the \u202eoutput\n",
    right="layer 5 relu\nlayer 1 sigmoid  # the output\n",
)
UNKNOWN_CHARACTER = rule(
    "DNN003",
    "unknown-character",
    "A character means nothing in the language.",
    why="Names consist of the letters a to z and A to Z, digits and `_`, so that everybody can type them; the other "
    "signs are those of arithmetic. In comments every letter is fine.",
    wrong="layer 5 relu as größe\nlayer 1 sigmoid\n",
    right="layer 5 relu as groesse\nlayer 1 sigmoid\n",
)
MALFORMED_NUMBER = rule(
    "DNN004",
    "malformed-number",
    "Something begins like a number, but is none, or is larger than numbers can be.",
    why="Numbers are written `12_288`, `0.5` or `1e-4`. They are kept exactly, so their length has a limit.",
    wrong="layer 5 relu\ndropout .5\nlayer 1 sigmoid\n",
    right="layer 5 relu\ndropout 0.5\nlayer 1 sigmoid\n",
)
UNCLOSED_STRING = rule(
    "DNN008",
    "unclosed-string",
    'A `"` opens a string that does not end on its line.',
    why="Without the second quote the path would swallow the rest of the line.",
    wrong='import "blocks.dnn\nlayer 1 sigmoid\n',
    right='import "blocks.dnn"\nlayer 1 sigmoid\n',
    program=False,
)
NESTED = rule(
    "DNN007",
    "nested-too-deeply",
    f"An expression is nested more than {MAX_DEPTH} deep, or bodies more than {MAX_BODIES} deep.",
    why="No person writes this, and no reader follows it; the limit keeps every part of the compiler from running "
    "out of stack. Parentheses around parentheses alone do not count.",
    wrong=f"layer {'1 + (' * MAX_DEPTH}5{')' * MAX_DEPTH}\n",
    right="layer 1 + (2 + (3 + 4))\n",
)
TOO_MANY_TERMS = rule(
    "DNN009",
    "too-many-terms",
    "A sum or product has 10,000 terms or more.",
    why="Formulas are kept exactly; ones of this size are made by programs, and would make every message unreadable.",
    wrong=f"layer {' + '.join(['1'] * 10_000)}\n",
    right="layer 10_000\n",
)
MISFIT = rule(
    "DNN011",
    "misplaced",
    "Something stands where it does not fit.",
    why="Each statement has one form, and its parts one order: an operand, then `from`, then `as`, then `key=value`.",
    wrong="layer 5, relu\nlayer 1 sigmoid\n",
    right="layer 5 relu\nlayer 1 sigmoid\n",
)
LOPSIDED_MINUS = rule(
    "DNN013",
    "lopsided-minus",
    "A `-` has a space before it and none after it.",
    why="Operands stand side by side, so `gate 32 -1` could have two operands, 32 and -1, or one, 31. It says "
    "neither clearly.",
    wrong="layer 32 -1 relu\nlayer 1 sigmoid\n",
    right="layer 32 - 1 relu\nlayer 1 sigmoid\n",
)
ONLY_AT_TOP_LEVEL = rule(
    "DNN014",
    "only-at-top-level",
    "A statement stands in a body, but concerns the whole program.",
    why="The body of a `repeat` or a `block` is copied, once or many times. Copying a param, a loss or the training "
    "settings along would mean something different for each copy.",
    wrong="repeat 2 {\n    param width = 8\n    layer 8 relu\n}\nlayer 1 sigmoid\n",
    right="param width = 8\nrepeat 2 {\n    layer width relu\n}\nlayer 1 sigmoid\n",
)
UNDERSCORE_DECLARED = rule(
    "DNN015",
    "underscore-declared",
    "`_` is given as a name.",
    why="`_` always means the node just before, so nothing else can be called that.",
    wrong="layer 5 relu as _\nlayer 1 sigmoid\n",
    right="layer 5 relu as hidden\nlayer 1 sigmoid\n",
)

_NAME: Final = re.compile(r"[A-Za-z_]\w*")
_INSTEAD: Final = {
    "\u2212": "-", "\u2013": "-", "\u2014": "-", "\u00d7": "*", "\u00b7": "*", "\u2217": "*", "\u00f7": "/",
    "\u201c": '"', "\u201d": '"', "\u201e": '"', "\u2018": '"', "\u2019": '"', "'": '"',
    "\u2264": "<=", "\u2265": ">=", "\u2260": "!=", "\u2026": "..", "\uff0c": ",", "\uff08": "(", "\uff09": ")",
    "\uff1d": "=", "\uff1b": ";", "\uff1a": ":", "\u00a0": " ", "\u3000": " ", "\u2009": " ", "\u202f": " ",
}  # fmt: skip
_ADVICE: Final = {
    "%": "a remainder is not part of the language; `//` divides and rounds down",
    "&": "conditions are written `where(c, a, b)`; a product of two comparisons holds where both do",
    "|": "conditions are written `where(c, a, b)`",
    "!": "not equal is written `!=`",
    "@": "a matrix product is what `layer` does",
    "?": "conditions are written `where(c, a, b)`",
    "\\": "a line is continued inside `( )`, without a sign",
    ".": "a range is written with two points, `1 .. 6`; a number with digits on both sides of its point, `0.5`",
    "$": "params are used by their name alone",
}


# ---------------------------------------------------------------- characters and numbers


def forbidden_character(span: Span, more: int) -> Diagnostic:
    """`more`: how often the same character stands further below."""
    notes = [f"and {more:,} more of them below"] if more else []
    message = f"the invisible character {character_name(span.text)} cannot stand in a program"
    if span.text == "\0":
        return FORBIDDEN_CHARACTER.at(
            span, message, notes=notes, help="this does not look like text: is it the right file, saved as UTF-8?"
        )
    if span.text == "\r":
        message = "a carriage return stands here without a newline after it"
        return FORBIDDEN_CHARACTER.at(span, message, notes=notes, help="save the file with line ends LF or CRLF")
    return FORBIDDEN_CHARACTER.at(span, message, notes=notes, help="take it away; many editors can show it")


def character_name(character: str) -> str:
    """`U+202E RIGHT-TO-LEFT OVERRIDE`."""
    name = unicodedata.name(character, "")
    return f"U+{ord(character):04X} {name}".rstrip()


def misfit(span: Span) -> Diagnostic:
    """Characters that no terminal of the grammar covers."""
    text = span.text
    if text[0] == '"':
        return UNCLOSED_STRING.at(span, "this string does not end on its line", help='write the closing `"`')
    if text[0] in "0123456789" or (text[0] == "." and len(text) > 1):
        return _malformed_number(span)
    if text in _INSTEAD:
        instead = _INSTEAD[text]
        what = f"a plain `{instead}`" if instead.strip() else "an ordinary space"
        fix = Fix(f"write {what}", (Edit(span, instead),))
        message = f"{_shown(text)} means nothing in the language"
        return UNKNOWN_CHARACTER.at(span, message, help=f"write {what}", fix=fix)
    strange = next((c for c in text if not (c.isascii() and (c.isalnum() or c == "_"))), text)
    if len(text) > 1:
        message = f"`{text}` cannot be a name: {_shown(strange)} is not a letter a to z, a digit or `_`"
        return UNKNOWN_CHARACTER.at(span, message, help="spell it with these")
    advice = _ADVICE.get(text, "take it out; in comments, after `#`, every character is fine")
    if text == "." and re.match(r"\.[A-Za-z_]+\(", span.source.text[span.start : span.start + 40]):
        advice = "a function is written by its name alone: `log(z)`"
    percent = re.search(r"[0-9]+\s*$", span.source.text[max(0, span.start - 20) : span.start]) if text == "%" else None
    if percent is not None:
        advice = f"a part of the whole is written as a number from 0 to 1: `{int(percent.group()) / 100:g}`"
    return UNKNOWN_CHARACTER.at(span, f"{_shown(text)} means nothing in the language", help=advice)


def _shown(character: str) -> str:
    if character.isascii() and character.isprintable():
        return f"`{character}`"
    return f"`{character}` ({character_name(character)})" if character.isprintable() else character_name(character)


def _malformed_number(span: Span) -> Diagnostic:
    text = span.text
    message = f"`{text}` is not a number"
    if text.startswith("."):
        fix = _write(span, f"0{text}") if re.fullmatch(r"\.[0-9]+([eE][0-9]+)?", text) else None
        return MALFORMED_NUMBER.at(span, message, help=f"write `0{text}`, with a digit before the point", fix=fix)
    if text.endswith("."):
        fix = _write(span, text[:-1]) if text[:-1].isdecimal() else None
        return MALFORMED_NUMBER.at(span, message, help=f"write `{text[:-1]}` or `{text}0`", fix=fix)
    if text[:2] in ("0x", "0X", "0b", "0o"):
        return MALFORMED_NUMBER.at(span, message, help="numbers are decimal")
    if "_" in text:
        return MALFORMED_NUMBER.at(span, message, help="`_` stands between two digits: `12_288`")
    number = re.match(r"[0-9]+(\.[0-9]+)?", text)
    rest = text[number.end() :] if number is not None else ""
    product = re.fullmatch(r"([0-9]+)[xX]([0-9]+)", text)
    if product is not None:
        written = " * ".join(product.groups())
        return MALFORMED_NUMBER.at(span, message, help=f"a product is written `{written}`", fix=_write(span, written))
    before = re.search(r"\b(as|param|dim|block)[ \t]+$", span.source.text[max(0, span.start - 40) : span.start])
    if before is not None:
        message = f"`{text}` cannot be a name: names begin with a letter or `_`"
        return MALFORMED_NUMBER.at(
            span, message, help=f"write one such as `{rest or 'h'}{number.group() if number is not None else ''}`"
        )
    if number is not None and re.fullmatch(r"[A-Za-z]\w*", rest) and rest not in ("e", "E"):
        return MALFORMED_NUMBER.at(
            span,
            f"{message}, and a name cannot begin with a digit",
            help=f"a product is written `{number.group()} * {rest}`; two operands have a space between them",
        )
    return MALFORMED_NUMBER.at(span, message, help="numbers are written `12_288`, `0.5`, `1e-4`")


def _write(span: Span, text: str) -> Fix:
    return Fix(f"write `{text}`", (Edit(span, text),))


def number_too_long(span: Span, digits: int, limit: int) -> Diagnostic:
    message = f"this number has {digits:,} digits; at most {limit} are kept"
    return MALFORMED_NUMBER.at(span, message, help="round it")


def number_out_of_range(span: Span, limit: int) -> Diagnostic:
    message = f"the exponent of this number is not between -{limit} and {limit}"
    return MALFORMED_NUMBER.at(span, message, help="no quantity of a network is so large or so small")


# ---------------------------------------------------------------- expressions


def too_many_terms(span: Span, what: str, terms: int, limit: int) -> Diagnostic:
    message = f"this {what} has {terms:,} terms; fewer than {limit:,} are allowed"
    return TOO_MANY_TERMS.at(span, message, help="write the result, or give parts of it names with `param`")


def nested_too_deeply(span: Span) -> Diagnostic:
    return NESTED.at(span, f"this is nested more than {MAX_DEPTH} deep", help="split it into several `param`s")


def lopsided_minus(minus: Span) -> Diagnostic:
    return LOPSIDED_MINUS.at(
        minus,
        "this `-` has a space before it and none after it: is it a difference, or the sign of an operand?",
        help="write `a - b` for a difference, `(-b)` for an operand of its own",
    )


def argument_after_key(argument: Span, key: Span) -> Diagnostic:
    return MISFIT.at(
        argument,
        f"`{_short(argument.text)}` has no key, but stands after `{_short(key.text)}`",
        help="arguments without a key come first, those with a key after them",
    )


# ---------------------------------------------------------------- statements


def underscore_declared(span: Span) -> Diagnostic:
    return UNDERSCORE_DECLARED.at(
        span, "`_` means the previous node, so nothing can be called that", help="give it a name with a letter"
    )


def not_a_scale(callee: Span) -> Diagnostic:
    return MISFIT.at(
        callee, f"a domain cannot be `{callee.text}(…)`", help="a domain is `1 .. 6`, `log(1e-4 .. 1e-1)` or `{32, 64}`"
    )


def not_a_tensor(span: Span) -> Diagnostic:
    return MISFIT.at(
        span,
        f"`{_short(span.text)}` is no tensor, so it has no shape",
        help="a shape is stated as in `expect W[2] : (7, 20)`, a relation as in `expect n[2] == 7`",
    )


def one_node_a_loss(second: Span) -> Diagnostic:
    return MISFIT.at(second, "a loss belongs to one node", help="write one `loss` statement for each node; they add up")


_WORD: Final[dict[type[Statement], str]] = {
    InputStatement: "input",
    OutputStatement: "output",
    ParamStatement: "param",
    DimStatement: "dim",
    ExpectShape: "expect",
    ExpectRelation: "expect",
    LossStatement: "loss",
    TrainStatement: "train",
    DefineStatement: "define",
    BlockStatement: "block",
    ImportStatement: "import",
}


def only_at_top_level(statement: Statement) -> Diagnostic:
    """A statement of another kind than a node or `repeat`, inside the body of a `repeat` or a `block`."""
    word = _WORD[type(statement)]
    start = statement.span.start
    advice = "move it out of the body"
    if word == "input":
        advice = "what goes into a block is named in its head: `block gate(k) from a, b { … }`"
    elif word == "output":
        advice = "what comes out of a body is its last node"
    span = Span(statement.span.source, start, start + len(word))
    return ONLY_AT_TOP_LEVEL.at(span, f"`{word}` cannot stand in the body of a `repeat` or a `block`", help=advice)


def names_in(text: str) -> set[str]:
    """All words of a piece of program."""
    return set(_NAME.findall(text))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 40 else line[:39] + "…"
