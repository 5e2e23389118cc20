"""Explain a diagnostic: what it says, why it matters, a wrong and a right example."""

from __future__ import annotations

import argparse
import pkgutil
from importlib import import_module
from typing import Final

from dnnlang.cli.output import write_result
from dnnlang.cli.parser import USAGE, Parser
from dnnlang.diagnostics.diagnostic import RULES, Diagnostic
from dnnlang.diagnostics.suggest import closest
from dnnlang.errors import UsageError

EXAMPLE: Final = """example:
  dnnc explain DNN201
  dnnc explain           lists all of them
"""
WITHOUT_RULES: Final = ("dnnlang.__main__", "dnnlang.sklearn")
"""The first runs when it is imported, the second needs an extra."""


def configure(parser: Parser) -> None:
    parser.add_argument("code", metavar="CODE", nargs="?", help="such as DNN201, or its name; without it: the list")


def run(arguments: argparse.Namespace) -> int:
    from dnnlang.diagnostics.explain import explain

    _import_all_rules()
    if arguments.code is None:
        lines = (f"{code}  {rule.name:<24}  {rule.summary}\n" for code, rule in sorted(RULES.items()))
        write_result("".join(lines), None)
        return 0
    wanted = arguments.code.strip()
    code = next((c for c, rule in RULES.items() if wanted.upper() == c or wanted.lower() == rule.name), None)
    if code is None:
        raise UsageError(_unknown(wanted))
    write_result(explain(RULES[code]), None)
    return 0


def _unknown(wanted: str) -> Diagnostic:
    near = closest(wanted.upper(), RULES) or closest(wanted.lower(), [rule.name for rule in RULES.values()])
    return USAGE.at(
        None,
        f"there is no diagnostic `{wanted}`",
        help=f"did you mean `{near}`?" if near is not None else "`dnnc explain` lists them all",
    )


def _import_all_rules() -> None:
    """A rule stands in the module that finds the mistake; here all of them are wanted."""
    import dnnlang

    for module in pkgutil.walk_packages(dnnlang.__path__, "dnnlang."):
        if module.name not in WITHOUT_RULES:
            import_module(module.name)
