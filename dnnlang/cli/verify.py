"""Check the plans in a JSON file, whoever made them, by the rules that every pass of the compiler is held to.

With --numeric, the plans are also run in float64 on small random numbers, and every gradient is compared with central
differences of the plan's own J, every update with the optimizer, and the plans of the file with each other.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Final

from dnnlang.cli.parser import USAGE, Parser, definition
from dnnlang.cli.show import show
from dnnlang.cli.text import count
from dnnlang.diagnostics.diagnostic import Diagnostic, Diagnostics, rule
from dnnlang.errors import UsageError

if TYPE_CHECKING:
    from dnnlang.plan.from_json import PlanFile
    from dnnlang.training.plan_check import Finding

EXAMPLE: Final = """example:
  dnnc compile examples/lesson.dnn --emit json -o plan.json
  dnnc verify plan.json
  dnnc verify plan.json --numeric
"""

WRONG_NUMBERS = rule(
    "DNN894",
    "wrong-numbers",
    "A plan computes a gradient that is not the derivative of its own J, or plans of one file do not agree.",
    why="Such a plan is well-formed: every operand is there and fits. It trains something else than it computes, or "
    "what is trained is not what is used. Central differences of J tell, in float64, at random numbers.",
    wrong='"B3": dZ[1] = dA[1] ∘ sigmoid\'(Z[1])   (where F2 is A[1] = tanh(Z[1]))\n',
    right='"B3": dZ[1] = dA[1] ∘ tanh\'(Z[1])\n',
    program=False,
)
TOO_LARGE = rule(
    "DNN895",
    "too-large-to-run",
    "A plan is too large to be compared with differences of its loss.",
    why="Each entry of a parameter takes two runs of the plan. The rules of the verifier hold for all sizes; numbers "
    "are only for small ones, and a wrong formula is wrong there too.",
    wrong="dnnc verify large.json --numeric\n",
    right="dnnc verify large.json\n",
    program=False,
)


def configure(parser: Parser) -> None:
    parser.add_argument("file", metavar="FILE", help="plans, as `dnnc compile --emit json` writes them")
    parser.add_argument("--numeric", action="store_true", help="run the plans too, and compare the numbers")
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="of the random numbers (default: 0)")
    parser.add_argument(
        "-D",
        dest="defines",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        type=definition,
        help="what an open size is for --numeric, as in -D 'n[0]=3' (default: a small number)",
    )


def run(arguments: argparse.Namespace) -> int:
    from dnnlang.plan.from_json import read_plans
    from dnnlang.plan.judge import judge
    from dnnlang.syntax.files import read_source

    sizes = _sizes(arguments)
    source = read_source(arguments.file, largest=LARGEST, ending=".json")
    found = Diagnostics()
    file = read_plans(source, found)
    wrong = found.found if file is None else judge(file)
    if file is None or wrong:
        show(wrong, arguments.output_format, file=sys.stdout)
        return 1
    instructions = sum(len(plan.instructions) for plan in file.plans)
    lines = [f"{count(len(file.plans), 'plan')}, {count(instructions, 'instruction')}: nothing is wrong"]
    if arguments.numeric:
        findings = _numbers(file, sizes, arguments)
        lines += _table(findings)
        wrong = [_wrong(file, each) for each in findings if each.problem is not None]
    print("\n".join(lines), file=sys.stdout if arguments.output_format == "full" else sys.stderr)
    show(wrong, arguments.output_format, file=sys.stdout)
    return 1 if wrong else 0


LARGEST: Final = 2**30
"""Bytes. A plan for 10,000 layers has a quarter of that."""


def _sizes(arguments: argparse.Namespace) -> dict[str, int]:
    sizes = {}
    for name, value in arguments.defines:
        if not arguments.numeric:
            raise UsageError(USAGE.at(None, "-D is for --numeric: without numbers, sizes stay open"))
        if not value.isdecimal() or not 0 < int(value[:19]) < 2**31:
            raise UsageError(USAGE.at(None, f"-D {name}={value}: a size is a whole number of at least 1"))
        sizes[name] = int(value)
    return sizes


def _numbers(file: PlanFile, sizes: dict[str, int], arguments: argparse.Namespace) -> list[Finding]:
    from dnnlang.training.plan_check import TooLargeError, check, open_sizes

    known = open_sizes(file.plans)
    for name in sizes:
        if name not in known:
            are = f"these are open: {', '.join(known)}" if known else "no size is open"
            raise UsageError(USAGE.at(None, f"-D: {name} is no size that these plans leave open", help=are))
    try:
        return check(file.architecture, file.plans, with_settings=file.with_settings, sizes=sizes, seed=arguments.seed)
    except TooLargeError as error:
        raise UsageError(TOO_LARGE.at(None, str(error))) from None


def _wrong(file: PlanFile, finding: Finding) -> Diagnostic:
    from dnnlang.plan.json_positions import path_text

    path = file.path(finding.plan if finding.about is None else finding.about)
    return WRONG_NUMBERS.at(file.document.span(path), f"{path_text(path)}: {finding.problem}")


def _table(findings: list[Finding]) -> list[str]:
    """For each kind of comparison how many there are, and the largest relative difference."""
    rows = []
    for kind, words in WORDS.items():
        errors = [f.error for f in findings if f.kind == kind]
        wrong = sum(f.problem is not None for f in findings if f.kind == kind)
        if errors:
            name = kind if len(errors) == 1 else PLURALS.get(kind, f"{kind}s")
            rows.append((f"{len(errors):,} {name}", words, f"{max(errors):.1e}", f"{wrong} WRONG" if wrong else "ok"))
    first, second = (max((len(row[k]) for row in rows), default=0) for k in range(2))
    return [f"{a:<{first}}  {b:<{second}}  {error:>7}  {verdict}" for a, b, error, verdict in rows]


PLURALS: Final = {"loss": "losses"}
WORDS: Final = {
    "gradient": "against central differences of J",
    "update": "against the optimizer, with these gradients",
    "loss": "against that of another plan",
    "output": "against that of another plan",
    "statistic": "against that of another plan",
}
