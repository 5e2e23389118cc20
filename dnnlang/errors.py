"""The exceptions of the package: people's mistakes derive from DnnError, the compiler's own do not.

Warnings found at run time are DnnWarnings, which Python's `warnings` shows and filters.
"""

from __future__ import annotations

from collections.abc import Iterable

from dnnlang.diagnostics.diagnostic import Diagnostic


class DnnError(Exception):
    """Something that the user of the package can put right. `diagnostics` say what and where."""

    def __init__(self, *diagnostics: Diagnostic) -> None:
        self.diagnostics: tuple[Diagnostic, ...] = diagnostics
        super().__init__(_first_lines(diagnostics))


class CompileError(DnnError):
    """The program has errors."""


class DataError(DnnError):
    """The data do not fit the network, or are broken themselves."""


class ModelFileError(DnnError):
    """A trained model cannot be read or written, or is not one."""


class NumericError(DnnError):
    """The numbers went wrong: the loss became infinite or NaN."""


class UsageError(DnnError):
    """A call, an option or a path that cannot be used as given."""


class DnnWarning(UserWarning):
    """Something that an expert would look at before training on. `diagnostic` says what and where.

    Silenced like every Python warning, `warnings.simplefilter("ignore", dnnlang.DnnWarning)`, or in the program by
    `# dnnc: allow CODE` on its line.
    """

    def __init__(self, diagnostic: Diagnostic) -> None:
        self.diagnostic = diagnostic
        super().__init__(_first_lines([diagnostic]))


class InternalError(Exception):
    """A mistake in the compiler itself, never the user's. Its text asks for a report."""

    def __init__(self, message: str) -> None:
        super().__init__(
            f"internal error: {message}\n"
            "This is a mistake in dnnlang, not in your program. Please report it, with the program."
        )


def _first_lines(diagnostics: Iterable[Diagnostic]) -> str:
    lines = []
    for d in diagnostics:
        place = f"{d.span}: " if d.span is not None else ""
        lines.append(f"{place}{d.severity}[{d.code}]: {d.message}")
        if d.help is not None:
            lines.append(f"    help: {d.help}")
    return "\n".join(lines)
