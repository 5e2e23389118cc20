"""Compare every dW and db with central differences of the loss, in float64, at random parameters and samples.

A size that nothing fixes is taken as 4; set it with -D.
"""

from __future__ import annotations

import argparse
from typing import Final

from dnnlang.cli.output import write_result
from dnnlang.cli.parser import Parser, add_deny_option, add_program_options
from dnnlang.cli.programs import open_program

EXAMPLE: Final = """example:
  dnnc gradcheck examples/lesson.dnn
  dnnc gradcheck examples/minimal.dnn -D 'n[0]=3'
"""


def configure(parser: Parser) -> None:
    parser.add_argument("file", metavar="FILE", help="a program (.dnn)")
    parser.add_argument("--backend", metavar="NAME", default="numpy", help="whose gradients: numpy (default) or native")
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="of parameters and samples (default: 0)")
    add_program_options(parser)
    add_deny_option(parser)


def run(arguments: argparse.Namespace) -> int:
    from dnnlang.training.gradcheck import TOLERANCE, Comparison, gradcheck

    program = open_program(arguments)
    found = gradcheck(program, backend=arguments.backend, seed=arguments.seed)

    def row(each: Comparison) -> tuple[str, str, str, str, str]:
        entries = f"{each.count:,}" if each.entries == each.count else f"{each.entries:,} of {each.count:,}"
        verdict = "below rounding" if each.rounding else "ok" if each.passed else "WRONG"
        return each.name, f"({each.shape[0]}, {each.shape[1]})", entries, f"{each.error:.1e}", verdict

    rows = [("gradient", "shape", "entries", "relative error", ""), *map(row, found)]
    widths = [max(len(cells[i]) for cells in rows) for i in range(5)]
    lines = [
        f"{name:<{widths[0]}}  {shape:<{widths[1]}}  {entries:>{widths[2]}}  {error:>{widths[3]}}  {verdict}".rstrip()
        for name, shape, entries, error, verdict in rows
    ]
    wrong = sum(not each.passed for each in found)
    if not found:
        lines = ["nothing is trained, so there is no gradient to compare"]
    elif wrong:
        lines.append(f"\n{wrong} of {len(found)} gradients differ from central differences by more than {TOLERANCE:g}")
    else:
        lines.append(f"\nall {len(found)} gradients agree with central differences (to {TOLERANCE:g})")
    write_result("\n".join(lines) + "\n", None)
    return 1 if wrong else 0
