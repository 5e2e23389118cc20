"""dnnlang: a language and a compiler for deep feed-forward networks. The public names, loaded when first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnnlang.version import __version__

if TYPE_CHECKING:
    from dnnlang.errors import (
        CompileError,
        DataError,
        DnnError,
        DnnWarning,
        InternalError,
        ModelFileError,
        NumericError,
        UsageError,
    )
    from dnnlang.network import Network, load
    from dnnlang.plan.listing import Listing, read_plan
    from dnnlang.plan.memory import Memory
    from dnnlang.program import Program, compile, compile_file

_HOME = {
    "compile": "dnnlang.program",
    "compile_file": "dnnlang.program",
    "Program": "dnnlang.program",
    "Network": "dnnlang.network",
    "load": "dnnlang.network",
    "read_plan": "dnnlang.plan.listing",
    "Listing": "dnnlang.plan.listing",
    "Memory": "dnnlang.plan.memory",
    "CompileError": "dnnlang.errors",
    "DataError": "dnnlang.errors",
    "DnnError": "dnnlang.errors",
    "DnnWarning": "dnnlang.errors",
    "InternalError": "dnnlang.errors",
    "ModelFileError": "dnnlang.errors",
    "NumericError": "dnnlang.errors",
    "UsageError": "dnnlang.errors",
}

__all__ = [
    "CompileError",
    "DataError",
    "DnnError",
    "DnnWarning",
    "InternalError",
    "Listing",
    "Memory",
    "ModelFileError",
    "Network",
    "NumericError",
    "Program",
    "UsageError",
    "__version__",
    "compile",
    "compile_file",
    "load",
    "read_plan",
]


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
