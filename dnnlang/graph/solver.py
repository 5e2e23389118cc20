"""Two-way inference: equations between sizes, solved one by one as they arrive.

An equation is solved when, after substitution, some symbol occurs only linearly and its coefficient divides the
rest. Symbols that were inferred (`n[0]`) are eliminated before dims that the program declares. Other equations wait
for the symbols in them, and what is left in the end is a requirement on whoever binds the sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from math import gcd
from typing import TYPE_CHECKING

from dnnlang.diagnostics import Diagnostic
from dnnlang.graph.architecture import Copy
from dnnlang.graph.located import Located
from dnnlang.sizes import Polynomial, Size, at_least, divide, multiply, substitute, subtract, symbol, symbols
from dnnlang.sizes.monomial import ONE, Monomial
from dnnlang.source import Span

if TYPE_CHECKING:
    from dnnlang.graph.origin import Origin

Conflict = Callable[[Size, Size], Diagnostic]
"""Makes the diagnostic of an equation that cannot hold, from the two sides as they are known then."""


@dataclass(slots=True, eq=False)
class Equation:
    """`left == right`, asked for at `span`. `reason` completes "n[0] = 64, because …".

    `origins` are where the sizes in it come from, as far as messages tell. `within` is the copy of a body that asks
    for it, filled in when the solver takes it.
    """

    left: Size
    right: Size
    span: Span | None
    reason: str
    conflict: Conflict
    origins: tuple[Origin | None, ...] = ()
    within: Copy | None = None


@dataclass(slots=True, eq=False)
class Binding:
    """What a symbol turned out to be, and the equation that says so."""

    size: Size
    equation: Equation


@dataclass(slots=True)
class Solver:
    """Knows what every symbol stands for. `declared` are the dims, which are eliminated last."""

    found: Located
    declared: frozenset[str] = frozenset()
    bindings: dict[str, Binding] = field(default_factory=dict)
    _waiting: dict[str, list[Equation]] = field(default_factory=dict)
    _settled: set[Equation] = field(default_factory=set)

    def resolve(self, size: Size) -> Size:
        """`size` in open symbols only."""
        if isinstance(size, int) or not self.bindings:
            return size
        while True:
            known = {name: self.bindings[name].size for name in symbols(size) if name in self.bindings}
            if not known:
                return size
            size = substitute(size, known)
            for name, value in known.items():  # shorten the way for the next question
                if isinstance(value, Polynomial):
                    self.bindings[name].size = self._shortened(value)

    def _shortened(self, size: Size) -> Size:
        known = {name: self.bindings[name].size for name in symbols(size) if name in self.bindings}
        return substitute(size, known) if known else size

    def equate(self, equation: Equation) -> bool:
        """Take in an equation, and every waiting one that it makes solvable. False if this one cannot hold."""
        if equation.left == equation.right:
            return True
        equation.within = self.found.within
        holds = True
        queue = [equation]
        while queue:
            current = queue.pop()
            if current in self._settled:
                continue
            bound = self._take(current)
            if bound is None:
                holds = holds and current is not equation
            else:
                queue.extend(eq for name in bound for eq in self._waiting.pop(name, ()))
        return holds

    def _take(self, equation: Equation) -> tuple[str, ...] | None:
        """The symbols that the equation binds now, perhaps none; None if it cannot hold."""
        left, right = self.resolve(equation.left), self.resolve(equation.right)
        difference = subtract(left, right)
        if difference == 0:
            self._settled.add(equation)
            return ()
        if isinstance(difference, int) or "m" in symbols(difference) or impossible(difference):
            self._refuse(equation, left, right)
            return None
        name = self._solvable(difference)
        if name is None:
            for waits_for in symbols(difference):
                self._waiting.setdefault(waits_for, []).append(equation)
            return ()
        solution = _solution(difference, name)
        if at_least(0, solution):  # a size below 1
            self._refuse(equation, left, right)
            return None
        self._settled.add(equation)
        self.bindings[name] = Binding(solution, equation)
        return (name,)

    def _refuse(self, equation: Equation, left: Size, right: Size) -> None:
        self._settled.add(equation)
        with self.found.at(equation.within):
            self.found.add(equation.conflict(left, right))

    def _solvable(self, difference: Polynomial) -> str | None:
        """The symbol to eliminate: inferred ones first, then by name, so that the order of equations hardly matters."""
        candidates = [name for name in linear_symbols(difference) if _divides(difference, name)]
        if not candidates:
            return None
        return min(candidates, key=lambda name: (name in self.declared, name))

    def leftovers(self) -> Iterator[tuple[Equation, Size, Size]]:
        """Equations still waiting, each once, with their sides in open symbols."""
        seen: set[Equation] = set(self._settled)
        for equations in self._waiting.values():
            for equation in equations:
                if equation not in seen:
                    seen.add(equation)
                    yield equation, self.resolve(equation.left), self.resolve(equation.right)

    def trail(self, *sizes: Size) -> list[tuple[str, Size, Equation]]:
        """Which bindings `resolve` uses for these sizes: symbol, what it stands for, and why; each once."""
        steps: dict[str, tuple[str, Size, Equation]] = {}
        queue = [name for size in sizes for name in sorted(symbols(size))]
        while queue:
            name = queue.pop(0)
            binding = self.bindings.get(name)
            if binding is None or name in steps:
                continue
            steps[name] = (name, self.resolve(binding.size), binding.equation)
            queue.extend(sorted(symbols(binding.size)))
        return list(steps.values())


def linear_symbols(difference: Polynomial) -> Iterable[str]:
    """Symbols that occur in one term only, alone and to the first power, and in no quotient or power."""
    occurrences: dict[str, int] = {}
    alone: set[str] = set()
    for monomial in difference.monomials():
        for atom, _ in monomial:
            names = (atom,) if isinstance(atom, str) else symbols(atom.left) | symbols(atom.right)
            for name in names:
                occurrences[name] = occurrences.get(name, 0) + 1
        if len(monomial) == 1 and isinstance(monomial[0][0], str) and monomial[0][1] == 1:
            alone.add(monomial[0][0])
    return [name for name in sorted(alone) if occurrences[name] == 1 and name != "m"]


def impossible(difference: Polynomial) -> bool:
    """Is `difference == 0` certain to have no solution in sizes of at least 1?"""
    if at_least(difference, 1) or at_least(-difference, 1):
        return True
    common = gcd(*(c for k, c in difference.items() if k != ONE))
    return difference.coefficient(ONE) % common != 0


def _divides(difference: Polynomial, name: str) -> bool:
    coefficient = difference.coefficient(_alone(name))
    return all(c % coefficient == 0 for _, c in difference.items())


def _solution(difference: Polynomial, name: str) -> Size:
    """What `name` is when `difference` is 0."""
    coefficient = difference.coefficient(_alone(name))
    rest = subtract(difference, multiply(symbol(name), coefficient))
    return divide(rest, -coefficient)


def _alone(name: str) -> Monomial:
    return ((name, 1),)
