"""Random programs as text: of every form that the grammar has, and any program written in another way.

They need not mean anything: names and sizes are not looked up.
"""

from __future__ import annotations

from hypothesis import strategies as st

from dnnlang.source import SourceFile
from dnnlang.syntax.parser import scan
from dnnlang.syntax.tokens import TOP_LEVEL, Token

# ---------------------------------------------------------------- any program of the grammar

NAMES = st.sampled_from(["a", "k", "width", "_x", "relu", "learning_rate", "W", "log"])
NUMBERS = st.sampled_from(["1", "12_288", "0.5", "1e-4", "7"])


def joined(items: st.SearchStrategy[str], separator: str, least: int = 1, most: int = 3) -> st.SearchStrategy[str]:
    return st.lists(items, min_size=least, max_size=most).map(separator.join)


def sequence(*parts: str | st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*(st.just(part) if isinstance(part, str) else part for part in parts)).map("".join)


def maybe(*parts: str | st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.just("") | sequence(*parts)


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operator = st.sampled_from([" + ", " - ", " * ", " / ", " // ", "^"])
    comparison = sequence(inner, st.sampled_from([" < ", " <= ", " > ", " >= ", " == ", " != "]), inner)
    keys = sequence(st.sampled_from(["loss", "beta", "k"]), "=", inner)
    arguments = sequence(joined(inner | comparison, ", "), maybe(", ", joined(keys, ", "))) | joined(keys, ", ", 0)
    return st.one_of(
        sequence(inner, operator, inner),
        sequence("-", inner),
        sequence("(", inner | comparison, ")"),
        sequence(NAMES, "[", inner, "]"),
        sequence(NAMES, "(", arguments, ")"),
    )


EXPRESSIONS = st.recursive(NAMES | NUMBERS, larger, max_leaves=12)
PLACES = NAMES | sequence(NAMES, "[", EXPRESSIONS, "]")
KEYS = joined(sequence(st.sampled_from(["init", "loss", "l2"]), "=", EXPRESSIONS), " ")
SIGNATURE = sequence(
    "(", joined(NAMES, ", ", 0), maybe("; ", joined(sequence(NAMES, "=", EXPRESSIONS), ", ")), ")"
)  # fmt: skip
FROM = sequence(" from ", joined(PLACES, ", "))
AS = sequence(" as ", NAMES)


@st.composite
def operands(draw: st.DrawFn) -> str:
    """Side by side: none but the first may begin with a minus."""
    drawn = draw(st.lists(EXPRESSIONS, max_size=3))
    return "".join(f" ({e})" if n and e.startswith("-") else f" {e}" for n, e in enumerate(drawn))


def braced(lines: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return (
        joined(lines, "; ", 0).map(lambda text: f" {{ {text} }}")
        | joined(lines, "\n", 0).map(lambda text: f" {{\n{text}\n}}")
    )  # fmt: skip


NODES = sequence(NAMES, operands(), maybe(FROM), maybe(AS), maybe(" ", KEYS))


def repeated(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    counter = st.sampled_from(["", "i in 1 .. ", "i in "])
    return sequence("repeat ", counter, EXPRESSIONS, maybe(FROM), braced(inner), maybe(AS))


BODY_LINES = st.recursive(NODES, repeated, max_leaves=4)
DOMAINS = st.one_of(
    sequence("{", joined(EXPRESSIONS, ", "), "}"),
    sequence(EXPRESSIONS, " .. ", EXPRESSIONS),
    sequence("log(", EXPRESSIONS, " .. ", EXPRESSIONS, ")"),
)
STATEMENTS = st.one_of(
    BODY_LINES,
    BODY_LINES,
    sequence("input", maybe(" ", EXPRESSIONS), maybe(AS)),
    sequence("output ", joined(PLACES, ", ")),
    sequence("param ", NAMES, " = ", EXPRESSIONS, maybe(" in ", DOMAINS)),
    sequence("dim ", NAMES),
    sequence("expect ", PLACES, " : (", EXPRESSIONS, ", ", EXPRESSIONS, ")"),
    sequence("expect ", EXPRESSIONS, " == ", EXPRESSIONS),
    sequence("loss mse", maybe(SIGNATURE.map(lambda s: "(k=2)")), maybe(" from ", PLACES), maybe(" ", KEYS)),
    sequence("train", braced(sequence(NAMES, " ", EXPRESSIONS))),
    sequence(
        "define activation f", SIGNATURE, " = ", EXPRESSIONS, maybe(" derivative ", EXPRESSIONS),
        maybe(" given ", EXPRESSIONS, " = ", EXPRESSIONS), maybe(" ", KEYS),
    ),
    sequence("define optimizer f", SIGNATURE, braced(sequence(NAMES, " = ", EXPRESSIONS))),
    sequence("block b", maybe(SIGNATURE), maybe(" from ", joined(NAMES, ", ")), braced(BODY_LINES)),
    st.just('import "blocks.dnn"'),
)  # fmt: skip
SOURCES = st.sampled_from(["\n", "\n", "; "]).flatmap(lambda end: joined(STATEMENTS, end, 0, 5))

# ---------------------------------------------------------------- the same program, written in another way

COMMENTS = ("# why", "#", "#! (", "# é ; } , # more", "# dnnc: allow DNN301")


@st.composite
def respelled(draw: st.DrawFn, text: str, *, comments: bool = True) -> str:
    """The tokens of `text` with other blanks between them, and other line breaks inside its parentheses.

    With `comments` there are new ones, lines end in other ways, and there are blank lines; without, lines stay.
    """
    tokens = scan(SourceFile("test.dnn", text))
    inside: list[str] = []  # the brackets that are open
    written = ""
    for n, token in enumerate(tokens):
        before = tokens[n - 1] if n else None
        if token.type in ("NEWLINE", "SEMICOLON") and not inside:
            written += _end(draw, token) if comments else token.text
            continue
        if before is not None and before.type not in ("NEWLINE", "SEMICOLON"):
            written += _gap(draw, tokens, n, written, inside=bool(inside) and "LPAR" in inside, comments=comments)
        written += token.text
        if token.type in ("LPAR", "LSQB"):
            inside.append(token.type)
        elif token.type in ("RPAR", "RSQB"):
            inside.pop()
    return written


def _end(draw: st.DrawFn, token: Token) -> str:
    comment = draw(st.sampled_from(COMMENTS))
    ends = [
        "\n",
        " \n",
        "\n\n\n",
        ";\n",
        "; ; ",
        f"  {comment}\n",
        f"{comment}\n",
        f"\n\t{comment}\n",
        f"\n\n{comment}\n",
    ]
    return draw(st.sampled_from([token.text, *ends]))


def _gap(draw: st.DrawFn, tokens: list[Token], n: int, written: str, *, inside: bool, comments: bool) -> str:
    before, token = tokens[n - 1], tokens[n]
    if before.type == "CALLEE":
        return ""
    words = before.text[-1].isalnum() or before.text[-1] == "_"
    needed = words and (token.text[0].isalnum() or token.text[0] in '_("')
    needed |= before.type == "MINUS" and written[-2:-1].isspace()  # else it would be lopsided
    gaps = [" ", "   ", "\t"] if needed else ["", "", " ", "\t "]
    key = tokens[n + 1].type if n + 1 < len(tokens) else ""
    if inside and before.type not in TOP_LEVEL and (token.type not in TOP_LEVEL or key == "EQUAL"):
        gaps += ["\n", "\n  \n    "]
        if comments:
            comment = draw(st.sampled_from(COMMENTS))
            gaps += [f" {comment}\n", f"\n    {comment}\n", f"{comment}\n{comment}\n"]
    return draw(st.sampled_from(gaps))
