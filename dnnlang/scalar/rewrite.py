"""From canonical forms back to expressions, in forms that do not overflow.

Known shapes of quotients of exponentials become the operations that compute them safely, with M = exp(x):

    M^j / (1 + M)^k         logistic(x)^j · logistic(-x)^(k-j)
    (M - 1) / (M + 1)       tanh(x / 2)
    M / Σ M                 normalized_exp(x)
    log(1 + M)              log1pexp(x)
    log(Σ M)                logsumexp(x)
    log(c₁ M₁ + c₂ M₂ + …)  t + log(Σ c_k exp(x_k - t)),  t the largest of the x_k
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

from dnnlang.errors import InternalError
from dnnlang.scalar.construct import (
    ONE,
    ZERO,
    function,
    maximum,
    mean,
    minus,
    negative,
    over,
    plus,
    power,
    rebuild,
    reduce,
    times,
    total,
)
from dnnlang.scalar.expression import Expr, apply, constant, units
from dnnlang.scalar.polynomial import (
    ONE_MONOMIAL,
    Factor,
    Generator,
    Monomial,
    Polynomial,
    Quotient,
    monomial_product,
    primitive,
)

Powers = dict[Generator, Fraction]


def expression(q: Quotient) -> Expr:
    """An expression with the value of `q`."""
    if not q.numerator:
        return ZERO
    coefficient, content, rest = primitive(q.numerator)
    if any(c < 0 for c in rest.values()) and (coefficient < 0 or all(c < 0 for c in rest.values())):
        coefficient, rest = -coefficient, {m: -c for m, c in rest.items()}
    # Only what is plain in the content is taken out of the sum; exponentials meet their denominators first.
    plain: Monomial = tuple((g, p) for g, p in content if g.kind != "exp" and not _is_sum_of_exp(g))
    inner = {monomial_product(monomial_product(m, content), plain, -1): c for m, c in rest.items()}
    outside = Quotient({plain: coefficient}, {})
    if len(inner) == 1 or (not plain and coefficient == 1):
        merged = {monomial_product(m, plain): c * coefficient for m, c in inner.items()}
        return _terms(merged, dict(q.denominator))
    logistic, others = _logistic_factors(q.denominator)
    body = _terms(inner, logistic)
    return _attach(outside, others, body)


def _attach(outside: Quotient, others: dict[Factor, int], body: Expr) -> Expr:
    ((monomial, coefficient),) = outside.numerator.items()
    above = [_power(_generator(g), p) for g, p in monomial if p > 0]
    below = [_power(_generator(g), -p) for g, p in monomial if p < 0]
    below += [_power(_polynomial(dict(f)), Fraction(k)) for f, k in others.items()]
    numerator = body
    for factor in reversed(above):
        numerator = times(factor, numerator)
    numerator = times(constant(coefficient), numerator)
    return over(numerator, _product(below)) if below else numerator


def _terms(numerator: Polynomial, denominator: dict[Factor, int]) -> Expr:
    """Σ of terms over a common denominator, each in its safe form; positive terms first."""
    square = _square(numerator) if not denominator else None
    if square is not None:
        return square
    tanh = _tanh(numerator, denominator)
    if tanh is not None:
        return tanh
    ordered = sorted(numerator.items(), key=lambda mc: (mc[1] < 0, [(g.id, p) for g, p in mc[0]]))
    logistic, others = _logistic_factors(denominator)
    if others and len(ordered) > 1:  # one fraction bar under all terms
        return over(_terms(numerator, logistic), _factors(others))
    result = ZERO
    for monomial, c in ordered:
        result = plus(result, _term(monomial, c, logistic, others))
    return result


def _term(monomial: Monomial, c: Fraction, logistic: dict[Factor, int], others: dict[Factor, int]) -> Expr:
    above: list[Expr] = []
    below: list[Expr] = []
    of_units = _plain_factors(monomial, above, below)
    exponentials: Powers = {g: p for g, p in monomial if g.kind == "exp"}
    sums: Powers = {g: p for g, p in monomial if _is_sum_of_exp(g)}
    for factor, k in logistic.items():
        above += _logistics(exponentials, _exponential_of(factor), k)
    exponent: list[Expr] = []
    for g, p in sums.items():
        above_g, rest = _normalized(exponentials, g, p)
        above += above_g
        if rest:
            exponent.append(times(constant(rest), _log_sum(g)))
    exponent += [times(constant(p), _exponent(g)) for g, p in exponentials.items() if p]
    if exponent:
        above.append(function("exp", _sum(exponent)))
    if of_units:
        _place_units(of_units, above, below)
    below += [_power(_polynomial(dict(f)), Fraction(k)) for f, k in others.items()]
    numerator = times(constant(c), _product(above))
    return over(numerator, _product(below)) if below else numerator


def _plain_factors(monomial: Monomial, above: list[Expr], below: list[Expr]) -> Fraction:
    """Places everything but exponentials and their sums; returns the power of the number of units."""
    of_units = Fraction(0)
    for g, p in monomial:
        if g.kind == "exp" or _is_sum_of_exp(g):
            continue
        if g.expr is not None and g.expr.op == "units":
            of_units = p
        elif p > 0:
            above.append(_power(_generator(g), p))
        else:
            below.append(_power(_generator(g), -p))
    return of_units


def _place_units(p: Fraction, above: list[Expr], below: list[Expr]) -> None:
    """Σ x / n is mean(x)."""
    for i, factor in enumerate(above):
        if p == -1 and factor.op == "sum":
            above[i] = mean(factor.args[0])
            return
    (above if p > 0 else below).append(_power(units(), abs(p)))


# ---------------------------------------------------------------- known shapes


def _exponential_of(factor: Factor) -> Monomial | None:
    """M if the factor is 1 + M with M a product of exponentials."""
    terms = dict(factor)
    if len(terms) != 2 or terms.get(ONE_MONOMIAL) is None:
        return None
    other = next(m for m in terms if m != ONE_MONOMIAL)
    if terms[ONE_MONOMIAL] != terms[other] or any(g.kind != "exp" for g, _ in other):
        return None
    return other


def _logistic_factors(denominator: Mapping[Factor, int]) -> tuple[dict[Factor, int], dict[Factor, int]]:
    logistic: dict[Factor, int] = {}
    others: dict[Factor, int] = {}
    for factor, k in denominator.items():
        (others if _exponential_of(factor) is None else logistic)[factor] = k
    return logistic, others


def _whole_power(exponentials: Powers, m: Monomial) -> int:
    """The largest j ≥ 0 such that M^j divides the exponentials exactly, taken from the first generator of M."""
    g, p = m[0]
    j = exponentials.get(g, Fraction(0)) / p
    return int(j) if j > 0 else 0


def _take(exponentials: Powers, m: Monomial, j: int) -> None:
    for g, p in m:
        left = exponentials.get(g, Fraction(0)) - j * p
        if left:
            exponentials[g] = left
        else:
            exponentials.pop(g, None)


def _logistics(exponentials: Powers, m: Monomial | None, k: int) -> list[Expr]:
    if m is None:
        raise InternalError("not a factor of the form 1 + exp(x)")
    j = min(_whole_power(exponentials, m), k)
    _take(exponentials, m, j)
    x = _exponent_of(m)
    ups = [_power(apply("logistic", x), Fraction(j))] if j else []
    downs = [_power(apply("logistic", negative(x)), Fraction(k - j))] if k > j else []
    return ups + downs


def _is_sum_of_exp(g: Generator) -> bool:
    return g.kind == "sum" and isinstance(g.inside, Quotient) and _summed(g) is not None


def _summed(g: Generator) -> Monomial | None:
    """M if g is Σ M with M a product of exponentials."""
    q = g.inside
    if not isinstance(q, Quotient) or q.denominator or len(q.numerator) != 1:
        return None
    ((monomial, c),) = q.numerator.items()
    return monomial if c == 1 and monomial and all(x.kind == "exp" for x, _ in monomial) else None


def _normalized(exponentials: Powers, g: Generator, p: Fraction) -> tuple[list[Expr], Fraction]:
    """M^j / (Σ M)^j as normalized_exp(x)^j, and the power of Σ M that is left."""
    m = _summed(g)
    if m is None or p > 0:
        return [], p
    j = min(_whole_power(exponentials, m), int(-p))
    _take(exponentials, m, j)
    return ([_power(apply("normalized_exp", _exponent_of(m)), Fraction(j))] if j else []), p + j


def _log_sum(g: Generator) -> Expr:
    m = _summed(g)
    if m is None:
        raise InternalError("not a sum of exponentials")
    return reduce("logsumexp", _exponent_of(m))


def _tanh(numerator: Polynomial, denominator: dict[Factor, int]) -> Expr | None:
    for factor, k in denominator.items():
        m = _exponential_of(factor)
        if m is None or len(numerator) != 2:
            continue
        coefficient, content, rest = primitive(numerator)
        scale = rest.get(m)
        if scale is None or rest.get(ONE_MONOMIAL) != -scale:
            continue
        left = {f: p for f, p in denominator.items() if f != factor}
        if k > 1:
            left[factor] = k - 1
        tanh = function("tanh", _exponent_of(m, Fraction(1, 2)))
        return times(_terms({content: coefficient * scale}, left), tanh)
    return None


def _square(p: Polynomial) -> Expr | None:
    """(1 ± c x)² where p is 1 ± 2 c x + c² x²."""
    if len(p) != 3 or p.get(ONE_MONOMIAL) != 1:
        return None
    middle = next((m for m in p if len(m) == 1 and m[0][1] == 1 and ((m[0][0], Fraction(2)),) in p), None)
    if middle is None or middle[0][0].kind == "exp":
        return None
    c = p[middle] / 2
    if p.get(((middle[0][0], Fraction(2)),)) != c * c:
        return None
    return power(plus(ONE, times(constant(c), _generator(middle[0][0]))), constant(2))


# ---------------------------------------------------------------- generators


def _generator(g: Generator) -> Expr:
    if g.expr is not None:
        return g.expr
    if g.kind == "exp":
        return function("exp", _exponent(g))
    if g.kind == "sum" and isinstance(g.inside, Quotient):
        return total(expression(g.inside))
    if g.kind == "log" and isinstance(g.inside, frozenset):
        return _log(dict(g.inside))
    if g.kind == "other" and isinstance(g.inside, tuple):
        op, arguments = g.inside
        return _other(op, [expression(a) for a in arguments])
    raise InternalError(f"a generator of kind {g.kind} cannot be written")


def _other(op: str, arguments: list[Expr]) -> Expr:
    if op == "quotient":
        return arguments[0]
    if op in ("less", "less_equal") and len(arguments) == 1:
        return rebuild(op, (ZERO, arguments[0]))
    return rebuild(op, tuple(arguments))


def _exponent(g: Generator) -> Expr:
    """x of the exponential exp(x) with power 1."""
    if not isinstance(g.inside, tuple):
        raise InternalError("an exponential holds a monomial")
    return _term(g.inside, Fraction(1), {}, {})


def _exponent_of(m: Monomial, scale: Fraction = Fraction(1)) -> Expr:
    """scale · x of M = exp(x)."""
    return _sum([times(constant(p * scale), _exponent(g)) for g, p in m])


def _log(p: Polynomial) -> Expr:
    """log of a positive polynomial, in which no exponential is taken out of the logarithm's reach."""
    if len(p) == 1:
        ((monomial, _),) = p.items()
        g = monomial[0][0]
        return _log_sum(g) if _is_sum_of_exp(g) else function("log", _generator(g))
    m = _exponential_of(frozenset(p.items()))
    if m is not None and p[ONE_MONOMIAL] == 1:
        return apply("log1pexp", _exponent_of(m))
    if all(g.kind == "exp" for monomial in p for g, _ in monomial):
        return _log_of_exponentials(p)
    return function("log", _polynomial(p))


def _log_of_exponentials(p: Polynomial) -> Expr:
    exponents = [(_exponent_of(m), c) for m, c in p.items()]
    top = exponents[0][0]
    for x, _ in exponents[1:]:
        top = maximum(top, x)
    return plus(top, function("log", _sum([times(constant(c), function("exp", minus(x, top))) for x, c in exponents])))


# ---------------------------------------------------------------- small pieces


def _polynomial(p: Polynomial) -> Expr:
    return _terms(p, {})


def _factors(factors: dict[Factor, int]) -> Expr:
    return _product([_power(_polynomial(dict(f)), Fraction(k)) for f, k in factors.items()])


def _power(e: Expr, p: Fraction) -> Expr:
    return power(e, constant(p))


def _product(factors: Iterable[Expr]) -> Expr:
    result = ONE
    for f in factors:
        result = times(result, f)
    return result


def _sum(terms: Iterable[Expr]) -> Expr:
    result = ZERO
    for t in terms:
        result = plus(result, t)
    return result
