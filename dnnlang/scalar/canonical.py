"""Canonical forms: expressions as rational functions of variables and exponentials.

Two spellings of one function meet here: `1 / (1 + exp(-z))`, `exp(z) / (exp(z) + 1)` and
`(1 + tanh(z / 2)) / 2` have one form. What the whole column shares is pulled out of sums over units, so a shift
inside a softmax cancels; logarithms of products of positive things come apart, so that log(sigmoid(z)) loses its
quotient. A `where` with equal branches is its branch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from itertools import count
from typing import Final

from dnnlang.scalar.expression import Expr, topological, variable
from dnnlang.scalar.expression import units as units_expr
from dnnlang.scalar.polynomial import (
    ONE_MONOMIAL,
    Factor,
    Generator,
    Monomial,
    Polynomial,
    Quotient,
    TooWide,
    integer_power,
    inverse,
    monomial_product,
    negated,
    number,
    of_generator,
    plus,
    poly_sum,
    primitive,
    product,
    reduced,
)

POWER_LIMIT: Final = 8
"""Larger constant powers are not multiplied out."""

Given = Sequence[tuple[Expr, Fraction]]


class Canon:
    """Makes canonical forms that can be compared with each other; `given` are equations they may use."""

    def __init__(self, given: Given = ()) -> None:
        self._ids = count()
        self._generators: dict[object, Generator] = {}
        self._forms: dict[Expr, Quotient] = {}
        self._given: dict[Generator, Fraction] = {}
        for name in ("u", "y", "a", "z"):  # the order in which factors and terms are printed: dA ∘ A, Y ∘ Z
            self.leaf(variable(name))
        for left, right in given:
            known = single_generator(self.form(left))
            if known is not None:
                self._given[known] = right

    def form(self, expr: Expr) -> Quotient:
        """The canonical form. Raises TooWide where it would be too large to be of use."""
        for e in topological(expr):
            if e not in self._forms:
                self._forms[e] = self._one(e, [self._forms[a] for a in e.args])
        return self._forms[expr]

    # ------------------------------------------------------------ generators

    def _generator(
        self,
        key: object,
        kind: str,
        expr: Expr | None,
        per_unit: bool,
        positive: bool,
        depends: frozenset[str],
        inside: object,
    ) -> Generator:
        found = self._generators.get(key)
        if found is None:
            found = Generator(next(self._ids), kind, expr, per_unit, positive, depends, inside)
            self._generators[key] = found
        return found

    def leaf(self, expr: Expr) -> Generator:
        """The generator of a variable, or of the number of units (which is positive)."""
        depends = frozenset() if expr.name is None else frozenset((expr.name,))
        return self._generator(("leaf", expr), "leaf", expr, expr.per_unit, expr.op == "units", depends, None)

    def variable(self, name: str) -> Quotient:
        return of_generator(self.leaf(variable(name)))

    def other(self, op: str, *inside: Quotient, per_unit: bool | None = None, positive: bool = False) -> Quotient:
        """A function that is not taken apart, of canonical arguments."""
        key = ("other", op, tuple(q.key for q in inside))
        if per_unit is None:
            per_unit = any(depends_on_unit(q) for q in inside)
        depends = frozenset().union(*(_dependence(q) for q in inside)) if inside else frozenset()
        return of_generator(self._generator(key, "other", None, per_unit, positive, depends, (op, inside)))

    def exp(self, exponent: Quotient) -> Quotient:
        """exp(exponent): each term becomes a power of one exponential; exp(log(P)) is P."""
        if exponent.denominator:
            g = single_generator(self.other("quotient", exponent))
            exponent = of_generator(g) if g is not None else exponent
        result = number(1)
        for monomial, c in exponent.numerator.items():
            result = product(result, self._exp_term(monomial, c))
        return result

    def _exp_term(self, monomial: Monomial, c: Fraction) -> Quotient:
        if len(monomial) == 1 and monomial[0][1] == 1 and c.denominator == 1 and abs(c) <= POWER_LIMIT:
            inside = monomial[0][0].inside
            if monomial[0][0].kind == "log" and isinstance(inside, frozenset):
                return integer_power(Quotient(dict(inside), {}), int(c))
        per_unit = any(g.per_unit for g, _ in monomial)
        depends = frozenset().union(*(g.depends for g, _ in monomial)) if monomial else frozenset()
        g = self._generator(("exp", monomial), "exp", None, per_unit, True, depends, monomial)
        return Quotient({((g, c),): Fraction(1)}, {})

    def log(self, q: Quotient) -> Quotient:
        """log(q), taken apart where the parts are positive."""
        if not q.numerator:
            return self.other("log", q)
        coefficient, monomial, rest = primitive(q.numerator)
        inside_monomial: Monomial = ONE_MONOMIAL
        inside = Quotient(rest, {})
        result = number(0)
        for g, power in monomial:
            if g.kind == "exp" and isinstance(g.inside, tuple):
                result = plus(result, Quotient({g.inside: power} if g.inside else {ONE_MONOMIAL: power}, {}))
            elif g.positive:
                result = plus(result, product(number(power), self._log_of({((g, Fraction(1)),): Fraction(1)})))
            else:
                inside_monomial = monomial_product(inside_monomial, ((g, power),))
        for factor, times in q.denominator.items():
            if positive(dict(factor)):
                result = plus(result, product(number(-times), self._log_of(dict(factor))))
            else:
                inside = product(inside, integer_power(inverse(Quotient(dict(factor), {})), times))
        if positive(rest) and coefficient > 0 and not inside_monomial and not inside.denominator:
            if len(rest) > 1:
                result = plus(result, self._log_of(rest))
            return plus(result, number(0) if coefficient == 1 else self.other("log", number(coefficient)))
        scaled = product(Quotient({inside_monomial: coefficient}, {}), inside)
        if scaled == number(1):
            return result
        return plus(result, self.other("log", scaled))

    def _log_of(self, p: Polynomial) -> Quotient:
        key = frozenset(p.items())
        generators = {g for m in p for g, _ in m}
        return of_generator(
            self._generator(
                ("log", key),
                "log",
                None,
                any(g.per_unit for g in generators),
                False,
                frozenset().union(*(g.depends for g in generators)),
                key,
            )
        )

    def sum(self, q: Quotient) -> Quotient:
        """Σ over the units, term by term; what the column shares stands before each Σ."""
        outer, inner = _split_factors(q.denominator)
        total = number(0)
        for monomial, c in q.numerator.items():
            shared = tuple(gp for gp in monomial if not gp[0].per_unit)
            own = tuple(gp for gp in monomial if gp[0].per_unit)
            term = self._sum_of(Quotient({own: Fraction(1)}, inner))
            total = plus(total, product(Quotient({shared: c}, {}), term))
        return _over_factors(total, outer)

    def _sum_of(self, q: Quotient) -> Quotient:
        if not depends_on_unit(q):
            return product(of_generator(self.leaf(units_expr())), q)
        g = self._generator(("sum", q.key), "sum", None, False, positive_quotient(q), _dependence(q), q)
        known = self._given.get(g)
        return of_generator(g) if known is None else number(known)

    # ------------------------------------------------------------ operations

    def _one(self, e: Expr, args: list[Quotient]) -> Quotient:
        if e.op == "constant" and e.value is not None:
            return number(e.value)
        if e.op in ("variable", "units"):
            return of_generator(self.leaf(e))
        rule = _RULES.get(e.op)
        if rule is not None:
            return rule(self, *args)
        return self.other(e.op, *args, per_unit=e.per_unit)

    def _power(self, base: Quotient, exponent: Quotient) -> Quotient:
        n = constant_of(exponent)
        if n is None:
            return self.other("power", base, exponent)
        if n.denominator == 1 and abs(n) <= POWER_LIMIT:
            return integer_power(base, int(n))
        root = _power_of_exponentials(base, n)
        return self.other("power", base, exponent) if root is None else root

    def _where(self, condition: Quotient, a: Quotient, b: Quotient) -> Quotient:
        return a if a.key == b.key or not plus(a, negated(b)).numerator else self.other("where", condition, a, b)

    def _compare(self, op: str) -> Callable[[Quotient, Quotient], Quotient]:
        def compare(a: Quotient, b: Quotient) -> Quotient:
            difference = plus(b, negated(a))  # a < b is 0 < b - a, up to a positive factor
            if difference.numerator and not difference.denominator:
                _, _, rest = primitive(difference.numerator)
                first = next(iter(sorted(rest, key=lambda m: [g.id for g, _ in m])))
                scale = abs(difference.numerator.get(first, Fraction(1)))
                difference = product(difference, number(1 / scale)) if scale else difference
            return self.other(op, difference)

        return compare

    def _logistic(self, x: Quotient) -> Quotient:
        return inverse(plus(number(1), self.exp(negated(x))))

    def _slope(self, a: Quotient) -> Quotient:
        return product(a, plus(number(1), negated(a)))

    def _tanh(self, x: Quotient) -> Quotient:
        m = self.exp(product(number(2), x))
        return product(plus(m, number(-1)), inverse(plus(m, number(1))))

    def _without_signs(self, q: Quotient) -> Quotient:
        """x · sign(x) is abs(x), where x is a generator."""
        if not any(_is_sign(g) for m in q.numerator for g, _ in m):
            return q
        numerator: Polynomial = {}
        for monomial, c in q.numerator.items():
            for g, p in monomial:
                x = single_generator(g.inside[1][0]) if _is_sign(g) and isinstance(g.inside, tuple) else None
                if x is None or p < 1 or dict(monomial).get(x, Fraction(0)) < 1:
                    continue
                size = of_generator(x)
                ((absolute, _),) = self.other("abs", size).numerator.items()
                monomial = monomial_product(
                    monomial_product(monomial, ((g, Fraction(-1)), (x, Fraction(-1)))), absolute
                )
                break
            numerator = poly_sum(numerator, {monomial: c})
        return reduced(numerator, q.denominator)

    def _erf(self, x: Quotient) -> Quotient:
        """erf is odd: the first term of its argument is positive."""
        if not x.numerator:
            return number(0)
        coefficient, _, _ = primitive(x.numerator)
        return negated(self.other("erf", negated(x))) if coefficient < 0 else self.other("erf", x)

    def _normalized_exp(self, x: Quotient) -> Quotient:
        m = self.exp(x)
        return product(m, inverse(self.sum(m)))


_RULES: Final[dict[str, Callable[..., Quotient]]] = {
    "add": lambda c, a, b: plus(a, b),
    "negate": lambda c, a: negated(a),
    "multiply": lambda c, a, b: c._without_signs(product(a, b)),
    "divide": lambda c, a, b: product(a, inverse(b)),
    "power": Canon._power,
    "exp": Canon.exp,
    "expm1": lambda c, a: plus(c.exp(a), number(-1)),
    "log": Canon.log,
    "log1p": lambda c, a: c.log(plus(number(1), a)),
    "logistic": Canon._logistic,
    "logistic_slope": lambda c, a: c._slope(c._logistic(a)),
    "tanh_slope": lambda c, a: plus(number(1), negated(integer_power(c._tanh(a), 2))),
    "log1pexp": lambda c, a: c.log(plus(number(1), c.exp(a))),
    "logistic_loss": lambda c, x, t: plus(c.log(plus(number(1), c.exp(x))), negated(product(t, x))),
    "tanh": Canon._tanh,
    "erf": Canon._erf,
    "erfc": lambda c, a: plus(number(1), negated(c._erf(a))),
    "sum": Canon.sum,
    "mean": lambda c, a: product(c.sum(a), inverse(of_generator(c.leaf(units_expr())))),
    "logsumexp": lambda c, a: c.log(c.sum(c.exp(a))),
    "normalized_exp": Canon._normalized_exp,
    "log_normalized_exp": lambda c, a: plus(a, negated(c.log(c.sum(c.exp(a))))),
    "where": Canon._where,
    "less": lambda c, a, b: c._compare("less")(a, b),
    "less_equal": lambda c, a, b: c._compare("less_equal")(a, b),
}


# ---------------------------------------------------------------- questions about forms


def constant_of(q: Quotient) -> Fraction | None:
    """The number that q is, or None."""
    if not q.numerator:
        return Fraction(0)
    if q.denominator or list(q.numerator) != [ONE_MONOMIAL]:
        return None
    return q.numerator[ONE_MONOMIAL]


def single_generator(q: Quotient) -> Generator | None:
    """The generator that q is, or None."""
    if q.denominator or len(q.numerator) != 1:
        return None
    ((monomial, c),) = q.numerator.items()
    return monomial[0][0] if c == 1 and len(monomial) == 1 and monomial[0][1] == 1 else None


def depends_on_unit(q: Quotient) -> bool:
    return any(g.per_unit for g in q.generators())


def positive(p: Polynomial) -> bool:
    """Whether p is positive wherever it is defined, because every term is."""
    return bool(p) and all(c > 0 and all(g.positive for g, _ in m) for m, c in p.items())


def positive_quotient(q: Quotient) -> bool:
    return positive(q.numerator) and all(positive(dict(f)) for f in q.denominator)


def given_number(left: Expr) -> bool:
    """Whether `left` is something that a `given` may set to a number: one sum, or one function of sums."""
    try:
        return not left.per_unit and single_generator(Canon().form(left)) is not None
    except TooWide:
        return False


def same(a: Expr, b: Expr, given: Given = ()) -> bool:
    """Whether a and b are equal as rational functions of exponentials, where `given` holds."""
    canon = Canon(given)
    try:
        return not plus(canon.form(a), negated(canon.form(b))).numerator
    except TooWide:
        return False


def _is_sign(g: Generator) -> bool:
    return g.kind == "other" and isinstance(g.inside, tuple) and g.inside[0] == "sign"


def _dependence(q: Quotient) -> frozenset[str]:
    return frozenset().union(*(g.depends for g in q.generators())) if q.generators() else frozenset()


def _split_factors(denominator: Mapping[Factor, int]) -> tuple[dict[Factor, int], dict[Factor, int]]:
    outer: dict[Factor, int] = {}
    inner: dict[Factor, int] = {}
    for factor, power in denominator.items():
        own = any(g.per_unit for monomial, _ in factor for g, _ in monomial)
        (inner if own else outer)[factor] = power
    return outer, inner


def _over_factors(q: Quotient, factors: dict[Factor, int]) -> Quotient:
    for factor, power in factors.items():
        q = product(q, integer_power(inverse(Quotient(dict(factor), {})), power))
    return q


def _power_of_exponentials(base: Quotient, n: Fraction) -> Quotient | None:
    if base.denominator or len(base.numerator) != 1:
        return None
    ((monomial, c),) = base.numerator.items()
    if c != 1 or any(g.kind != "exp" for g, _ in monomial):
        return None
    return Quotient({tuple((g, p * n) for g, p in monomial): Fraction(1)}, {})
