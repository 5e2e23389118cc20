"""Expressions of `rate` and `t` alone, as C in double: made once a step."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from dnnlang.errors import InternalError
from dnnlang.scalar.expression import Expr

_TEMPLATES: Final = {
    "add": "({} + {})",
    "multiply": "({} * {})",
    "divide": "({} / {})",
    "power": "pow({}, {})",
    "maximum": "fmax({}, {})",
    "minimum": "fmin({}, {})",
    "less": "(double)({} < {})",
    "less_equal": "(double)({} <= {})",
    "equal": "(double)({} == {})",
    "not_equal": "(double)({} != {})",
    "where": "({} != 0 ? {} : {})",
    "negate": "(-{})",
    "abs": "fabs({})",
    "sign": "(double)(({0} > 0) - ({0} < 0))",
    "logistic": "(1 / (1 + exp(-{})))",
    "logistic_slope": "(exp(-fabs({0})) / pow(1 + exp(-fabs({0})), 2))",
    "tanh_slope": "(4 * exp(-2 * fabs({0})) / pow(1 + exp(-2 * fabs({0})), 2))",
    "log1pexp": "(fmax({0}, 0) + log1p(exp(-fabs({0}))))",
    "logistic_loss": "(fmax({0}, 0) + log1p(exp(-fabs({0}))) - {1} * {0})",
}
_VARIABLES: Final = {"rate": "e->rate", "t": "(double)e->step"}
_FUNCTIONS: Final = frozenset("exp log expm1 log1p sqrt tanh erf erfc sin cos".split())


@lru_cache(maxsize=1024)
def scalar_text(expr: Expr) -> str:
    """The C text of an expression of `rate` and `t`."""
    if expr.op == "constant" and expr.value is not None:
        return float(expr.value).hex()
    if expr.op == "variable" and expr.name in _VARIABLES:
        return _VARIABLES[expr.name]
    if expr.op == "units":
        return "1.0"
    arguments = [scalar_text(a) for a in expr.args]
    template = _TEMPLATES.get(expr.op)
    if template is not None:
        return template.format(*arguments)
    if expr.op in _FUNCTIONS:
        return f"{expr.op}({arguments[0]})"
    raise InternalError(f"the operation {expr.op} of numbers is not implemented by the native backend")
