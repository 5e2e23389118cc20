"""How well buffers are packed: other people's instances, and random programs.

    python benchmarks/allocation.py FOLDER              # CSV files with id, lower, upper, size
    python benchmarks/allocation.py FOLDER --effort 100 # a hundred times as much search
    python benchmarks/allocation.py --programs 1000     # random programs of up to 200 buffers, at -O1 and -O2

A file whose name ends in `.NUMBER.csv` has a packing of that height, which is what it is compared with; any other is
compared with its lower bound, the largest sum of sizes in use at the same time. Times are those of the processor.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dnnlang.plan.packing import Block, pack
from dnnlang.plan.packing.pack import EFFORT

MOST_BUFFERS = 200
MOST_NODES = 480
LEAST_SHARE = 0.99  # of the programs that are to reach the lower bound
MOST_SECONDS = 0.25


def read(path: Path) -> list[Block]:
    with path.open(encoding="utf-8") as file:
        return [Block(int(r["lower"]), int(r["upper"]), int(r["size"])) for r in csv.DictReader(file)]


def instances(folder: Path, effort: int) -> None:
    print(f"{'instance':22}{'blocks':>8}{'bound':>15}{'goal':>15}{'best':>15}{'ratio':>8}{'time':>10}")
    for path in sorted(folder.glob("*.csv")):
        blocks = read(path)
        capacity = path.stem.rpartition(".")[2]
        target = int(capacity) if capacity.isdigit() else None
        start = time.process_time()
        made = pack(blocks, target=target, effort=effort)
        seconds = time.process_time() - start
        goal = max(made.bound, target or 0)
        numbers = f"{len(blocks):8,}{made.bound:15,}{goal:15,}{made.height:15,}"
        print(f"{path.stem:22}{numbers}{made.height / goal:8.4f}{seconds:8.2f} s", flush=True)


def random_programs(count: int) -> int:
    """How many of so many programs reach the lower bound, and how long the slots of each take."""
    from random import Random

    import dnnlang
    from dnnlang.plan.ir import Purpose
    from dnnlang.plan.liveness import buffers
    from dnnlang.plan.memory import slots_ratio
    from dnnlang.plan.passes import make_plan
    from dnnlang.plan.slots import assign_slots
    from tests.programs import Seeded, random_program

    ratios: list[float] = []
    seconds: list[float] = []
    sizes: list[int] = []
    seen: set[object] = set()  # small programs may be alike as far as their buffers go
    random = Random(0)
    while len(seen) < count:
        spec = random_program(Seeded(random), range(MOST_NODES + 1), most_units=40)
        level = 1 + len(seen) % 2
        architecture = dnnlang.compile(spec.text).architecture
        plan = make_plan(architecture, Purpose.GRADIENTS, level=level, training=True, after="alias")
        found = tuple((b.lower, b.upper, b.rows, b.per_sample) for b in buffers(plan))
        if len(found) > MOST_BUFFERS or found in seen:
            continue
        seen.add(found)
        start = time.process_time()
        made = assign_slots(plan)
        seconds.append(time.process_time() - start)
        sizes.append(len(found))
        ratios.append(slots_ratio(made))
        if seconds[-1] > MOST_SECONDS / 2:
            print(f"number {len(seen):,}, {len(found)} buffers: {seconds[-1]:.3f} s, {ratios[-1]:.4f} times the bound")

    reached = sum(ratio == 1 for ratio in ratios)
    average = sum(sizes) / len(sizes)
    print(f"{len(ratios):,} different plans of {min(sizes)} to {max(sizes)} buffers, {average:.0f} on average:")
    print(f"{reached:,} reach the lower bound, the worst is {max(ratios):.4f} times that")
    print(f"slots take {sum(seconds) / len(seconds):.3f} s on average, {max(seconds):.3f} s at most")
    return 0 if reached >= LEAST_SHARE * len(ratios) and max(seconds) <= MOST_SECONDS else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--effort", type=int, default=1, help="times what a compile spends")
    parser.add_argument("--programs", type=int, default=0, metavar="COUNT")
    arguments = parser.parse_args()
    if arguments.folder is not None:
        instances(arguments.folder, arguments.effort * EFFORT)
    return random_programs(arguments.programs) if arguments.programs else 0


if __name__ == "__main__":
    sys.exit(main())
