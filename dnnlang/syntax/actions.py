"""What the grammar's rules build: one method a rule or alias of grammar/dnn.lark, straight to the frozen tree."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any, Final, NamedTuple

from dnnlang.diagnostics import Diagnostic
from dnnlang.source import SourceFile, Span
from dnnlang.syntax import rules
from dnnlang.syntax.automaton import Lines, Refused
from dnnlang.syntax.tokens import Token
from dnnlang.syntax.tree import (
    MAX_DEPTH,
    Assignment,
    BlockStatement,
    Call,
    Choices,
    Compare,
    DefineStatement,
    DimStatement,
    ExpectRelation,
    ExpectShape,
    Expression,
    ImportStatement,
    Index,
    InputStatement,
    Keyword,
    LossStatement,
    Name,
    Negate,
    NodeStatement,
    Number,
    OutputStatement,
    Parameter,
    ParamStatement,
    Power,
    Product,
    Range,
    RepeatStatement,
    Setting,
    Statement,
    Sum,
    TrainStatement,
)

MAX_TERMS: Final = 10_000
"""A sum or product has fewer terms than this."""
MAX_DIGITS: Final = 100
MAX_EXPONENT: Final = 400

Children = list[Any]


class Body(NamedTuple):
    """`{ … }`, and where it ends."""

    statements: tuple[Statement, ...]
    end: int


class Signature(NamedTuple):
    """`(a, b; c=1)`, and where it ends."""

    names: tuple[Name, ...]
    options: tuple[Parameter, ...]
    end: int


class Actions:
    """Builds the tree of one file. `found` takes mistakes that do not spoil the statement they stand in."""

    def __init__(self, source: SourceFile, found: list[Diagnostic]) -> None:
        self.lost: set[str] = set()
        self._source = source
        self._found = found
        self._numbers: dict[str, Fraction] = {}

    # ------------------------------------------------------------ lists

    def first(self, c: Children) -> list[Any]:
        return c

    def more(self, c: Children) -> list[Any]:
        items, _comma, item = c
        items.append(item)
        return items  # type: ignore[no-any-return]

    def another(self, c: Children) -> list[Any]:
        items, item = c
        items.append(item)
        return items  # type: ignore[no-any-return]

    def first_name(self, c: Children) -> list[Name]:
        return [self._declared(c[0])]

    def more_names(self, c: Children) -> list[Name]:
        names, _comma, token = c
        names.append(self._declared(token))
        return names  # type: ignore[no-any-return]

    def no_lines(self, _: Children) -> Lines:
        return Lines("statement")

    def no_settings(self, _: Children) -> Lines:
        return Lines("setting")

    def no_assignments(self, _: Children) -> Lines:
        return Lines("assignment")

    def blank(self, c: Children) -> Lines:
        return c[0]  # type: ignore[no-any-return]

    def line(self, c: Children) -> Lines:
        lines, line, _end = c
        lines.append(line)
        return lines  # type: ignore[no-any-return]

    # ------------------------------------------------------------ files and bodies

    def start(self, c: Children) -> tuple[Statement, ...]:
        lines, last = c
        return tuple(lines) if last is None else (*lines, last)

    def body(self, c: Children) -> Body:
        _open, lines, last, closing = c
        if last is not None:
            lines.append(last)
        inside: list[Statement] = []
        for statement in lines:
            if isinstance(statement, NodeStatement | RepeatStatement):
                inside.append(statement)
                continue
            self._found.append(rules.only_at_top_level(statement))
            self.lost.update(rules.names_in(statement.span.text))
        return Body(tuple(inside), closing.end)

    # ------------------------------------------------------------ nodes

    def node(self, c: Children) -> NodeStatement:
        kind, operands, sources, alias, keys = c
        span = self._from(kind.start, keys or alias or sources or operands or kind)
        return NodeStatement(
            span,
            self.name([kind]),
            tuple(operands) if operands else (),
            tuple(sources) if sources else None,
            alias,
            tuple(keys) if keys else (),
        )

    def input(self, c: Children) -> InputStatement:
        word, size, alias, keys = c
        return InputStatement(self._from(word.start, keys or alias or size or word), size, alias, tuple(keys or ()))

    def output(self, c: Children) -> OutputStatement:
        word, places = c
        return OutputStatement(self._from(word.start, places), tuple(places))

    def sources(self, c: Children) -> list[Name | Index]:
        return c[1]  # type: ignore[no-any-return]

    def alias(self, c: Children) -> Name:
        return self._declared(c[1])

    def keyword(self, c: Children) -> Keyword:
        key, _equal, value = c
        return Keyword(Span(self._source, key.span.start, value.span.end), key, value)

    # ------------------------------------------------------------ the rest of the top level

    def param(self, c: Children) -> ParamStatement:
        word, name, _equal, value, domain = c
        return ParamStatement(self._from(word.start, domain or value), self._declared(name), value, domain)

    def choices(self, c: Children) -> Choices:
        _in, opening, values, closing = c
        return Choices(Span(self._source, opening.start, closing.end), tuple(values))

    def range(self, c: Children) -> Range:
        _in, first, _dots, last = c
        return Range(Span(self._source, first.span.start, last.span.end), first, last, False)

    def log_range(self, c: Children) -> Range:
        _in, callee, _open, first, _dots, last, closing = c
        if callee.text != "log":
            raise Refused(rules.not_a_scale(self._span(callee)))
        return Range(Span(self._source, callee.start, closing.end), first, last, True)

    def dim(self, c: Children) -> DimStatement:
        word, name = c
        return DimStatement(self._from(word.start, name), self._declared(name))

    def expect_shape(self, c: Children) -> ExpectShape:
        word, tensor, _colon, _open, rows, _comma, columns, closing = c
        if not isinstance(tensor, Name | Index):
            raise Refused(rules.not_a_tensor(tensor.span))
        return ExpectShape(self._from(word.start, closing), tensor, rows, columns)

    def expect_relation(self, c: Children) -> ExpectRelation:
        word, left, operator, right = c
        relation = self.compare([left, operator, right])
        return ExpectRelation(self._from(word.start, relation), relation)

    def loss(self, c: Children) -> LossStatement:
        word, loss, sources, keys = c
        if sources is not None and len(sources) > 1:
            raise Refused(rules.one_node_a_loss(sources[1].span))
        span = self._from(word.start, keys or sources or loss)
        return LossStatement(span, loss, sources[0] if sources else None, tuple(keys or ()))

    def train(self, c: Children) -> TrainStatement:
        word, _open, settings, last, closing = c
        if last is not None:
            settings.append(last)
        return TrainStatement(self._from(word.start, closing), tuple(settings))

    def setting(self, c: Children) -> Setting:
        key, value = c
        return Setting(self._from(key.start, value), self.name([key]), value)

    def import_file(self, c: Children) -> ImportStatement:
        word, path = c
        return ImportStatement(self._from(word.start, path), path.text[1:-1], self._span(path))

    # ------------------------------------------------------------ definitions, repetition, blocks

    def define_formula(self, c: Children) -> DefineStatement:
        word, family, name, signature, _equal, value, derivative, given, keys = c
        end = keys or (given and given[1]) or derivative or value
        return DefineStatement(
            self._from(word.start, end),
            family,
            name,
            signature.names,
            signature.options,
            value,
            None,
            derivative,
            given,
            tuple(keys or ()),
        )

    def define_steps(self, c: Children) -> DefineStatement:
        word, family, name, signature, _open, steps, last, closing = c
        if last is not None:
            steps.append(last)
        span = self._from(word.start, closing)
        return DefineStatement(
            span, family, name, signature.names, signature.options, None, tuple(steps), None, None, ()
        )

    def declared(self, c: Children) -> Name:
        return self._declared(c[0])

    def signature(self, c: Children) -> Signature:
        _open, names, options, closing = c
        return Signature(tuple(names or ()), tuple(options or ()), closing.end)

    def options(self, c: Children) -> list[Parameter]:
        return c[1]  # type: ignore[no-any-return]

    def default(self, c: Children) -> Parameter:
        name, _equal, value = c
        return Parameter(self._from(name.start, value), self._declared(name), value)

    def derivative(self, c: Children) -> Expression:
        return c[1]  # type: ignore[no-any-return]

    def given(self, c: Children) -> tuple[Expression, Expression]:
        _given, left, _equal, right = c
        return left, right

    def assignment(self, c: Children) -> Assignment:
        name, _equal, value = c
        return Assignment(self._from(name.start, value), self._declared(name), value)

    def repeat(self, c: Children) -> RepeatStatement:
        word, variable, (first, last), sources, body, alias = c
        head = self._from(word.start, sources or last)
        span = Span(self._source, word.start, body.end if alias is None else alias.span.end)
        places = tuple(sources) if sources else None
        return RepeatStatement(span, head, variable, first, last, places, body.statements, alias)

    def counter(self, c: Children) -> Name:
        return self._declared(c[0])

    def count(self, c: Children) -> tuple[None, Expression]:
        return None, c[0]

    def bounds(self, c: Children) -> tuple[Expression, Expression]:
        return c[0], c[2]

    def block(self, c: Children) -> BlockStatement:
        word, name, signature, inputs, body = c
        span = Span(self._source, word.start, body.end)
        names, options, end = signature or Signature((), (), name.span.end)
        head = Span(self._source, word.start, inputs[-1].span.end if inputs else end)
        return BlockStatement(span, head, name, names, options, tuple(inputs or ()), body.statements)

    def inputs(self, c: Children) -> list[Name]:
        return c[1]  # type: ignore[no-any-return]

    # ------------------------------------------------------------ expressions

    def name(self, c: Children) -> Name:
        token = c[0]
        return Name(Span(self._source, token.start, token.end), token.text)

    def number(self, c: Children) -> Number:
        token = c[0]
        value = self._numbers.get(token.text)
        if value is None:
            value = self._numbers[token.text] = self._value(token)
        return Number(Span(self._source, token.start, token.end), value)

    def index(self, c: Children) -> Index:
        base, _open, index, closing = c
        span = Span(self._source, base.start, closing.end)
        return Index(span, self.name([base]), index, self._nested(index.depth, span))

    def parentheses(self, c: Children) -> Expression:
        opening, inside, closing = c
        return replace(inside, span=Span(self._source, opening.start, closing.end))  # type: ignore[no-any-return]

    def call(self, c: Children) -> Call:
        callee, _open, given, closing = c
        span = Span(self._source, callee.start, closing.end)
        arguments: list[Expression] = []
        keywords: list[Keyword] = []
        depth = 0
        for argument in given or ():
            if isinstance(argument, Keyword):
                keywords.append(argument)
                depth = max(depth, argument.value.depth)
                continue
            if keywords:
                raise Refused(rules.argument_after_key(argument.span, keywords[-1].span))
            arguments.append(argument)
            depth = max(depth, argument.depth)
        return Call(span, self.name([callee]), tuple(arguments), tuple(keywords), self._nested(depth, span))

    def first_terms(self, c: Children) -> list[tuple[int, Expression]]:
        first, operator, term = c
        return [(1, first), (self._sign(operator), term)]

    def more_terms(self, c: Children) -> list[tuple[int, Expression]]:
        terms, operator, term = c
        terms.append((self._sign(operator), term))
        return terms  # type: ignore[no-any-return]

    def sum_of(self, c: Children) -> Sum:
        terms = c[0]
        span = Span(self._source, terms[0][1].span.start, terms[-1][1].span.end)
        if len(terms) >= MAX_TERMS:
            raise Refused(rules.too_many_terms(span, "sum", len(terms), MAX_TERMS))
        return Sum(span, tuple(terms), self._nested(max(term.depth for _, term in terms), span))

    def first_factors(self, c: Children) -> list[tuple[str, Expression]]:
        first, operator, factor = c
        return [("*", first), (operator.text, factor)]

    def more_factors(self, c: Children) -> list[tuple[str, Expression]]:
        factors, operator, factor = c
        factors.append((operator.text, factor))
        return factors  # type: ignore[no-any-return]

    def product_of(self, c: Children) -> Product:
        factors = c[0]
        span = Span(self._source, factors[0][1].span.start, factors[-1][1].span.end)
        if len(factors) >= MAX_TERMS:
            raise Refused(rules.too_many_terms(span, "product", len(factors), MAX_TERMS))
        return Product(span, tuple(factors), self._nested(max(factor.depth for _, factor in factors), span))

    def negate(self, c: Children) -> Negate:
        minus, operand = c
        span = Span(self._source, minus.start, operand.span.end)
        return Negate(span, operand, self._nested(operand.depth, span))

    def raised(self, c: Children) -> Power:
        base, _power, exponent = c
        span = Span(self._source, base.span.start, exponent.span.end)
        return Power(span, base, exponent, self._nested(max(base.depth, exponent.depth), span))

    def compare(self, c: Children) -> Compare:
        left, operator, right = c
        span = Span(self._source, left.span.start, right.span.end)
        return Compare(span, operator.text, left, right, self._nested(max(left.depth, right.depth), span))

    # ------------------------------------------------------------ help for the above

    def _span(self, token: Token) -> Span:
        return Span(self._source, token.start, token.end)

    def _from(self, start: int, last: Any) -> Span:
        """From `start` to the end of `last`: a token, something with a span, or a list of either."""
        while isinstance(last, list):
            last = last[-1]
        return Span(self._source, start, last.end if isinstance(last, Token) else last.span.end)

    def _declared(self, token: Token) -> Name:
        """A name that is given to something here."""
        if token.text == "_":
            raise Refused(rules.underscore_declared(self._span(token)))
        return self.name([token])

    def _nested(self, depth: int, span: Span) -> int:
        """One more than the depth of what is inside."""
        if depth >= MAX_DEPTH:
            raise Refused(rules.nested_too_deeply(span))
        return depth + 1

    def _sign(self, operator: Token) -> int:
        if operator.text == "+":
            return 1
        text, at = self._source.text, operator.start
        # In a list of operands `32 -1` could be one or two of them, so it is neither; elsewhere alike.
        lopsided = text[at - 1] in " \t" and text[at + 1] not in " \t\r\n#"
        if lopsided and text[text.rfind("\n", 0, at) + 1 : at].strip():
            self._found.append(rules.lopsided_minus(self._span(operator)))
        return -1

    def _value(self, token: Token) -> Fraction:
        digits, _, exponent = token.text.replace("_", "").lower().partition("e")
        if len(digits) > MAX_DIGITS:
            raise Refused(rules.number_too_long(self._span(token), len(digits), MAX_DIGITS))
        if len(exponent) > 6 or abs(int(exponent or 0)) > MAX_EXPONENT:
            raise Refused(rules.number_out_of_range(self._span(token), MAX_EXPONENT))
        return Fraction(f"{digits}e{exponent}" if exponent else digits)
