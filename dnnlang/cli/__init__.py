"""The command line. A command's module is imported when it is asked for, so that asking for help costs nothing."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run `dnnc` with these arguments (default: the process's) and return its exit status."""
    from dnnlang.cli.run import run

    return run(list(sys.argv[1:] if argv is None else argv))
