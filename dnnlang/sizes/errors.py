"""What can go wrong in size arithmetic. The graph turns these into diagnostics with a place in the source."""

from __future__ import annotations


class SizeError(ArithmeticError):
    """A size that cannot be computed. Its text says why, and goes into the diagnostic."""


class TooLargeError(SizeError):
    """An integer of 2^63 or more, found before it is computed."""


class TooManyTermsError(SizeError):
    """A formula of 10,000 terms or more."""


class InexactError(SizeError):
    """A quotient that is not a whole number, or a division by zero."""


class UnboundError(SizeError):
    """A symbol without a value, where a number is asked for. `name` is the symbol."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"{name} has no value")
