"""Corruptions of right plans: each is found by the verifier, or by the numbers, or shown to change nothing.

The corrupted plan is JSON without claims about itself, as `dnnc verify --numeric` reads it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from functools import cache, partial
from random import Random

import numpy as np
import pytest

import dnnlang
from dnnlang.backends.buffers import aligned_buffer
from dnnlang.backends.numpy.context import PERSISTENT
from dnnlang.backends.numpy.execute import Executable
from dnnlang.diagnostics import Diagnostics
from dnnlang.plan.from_json import PlanFile, read_plans
from dnnlang.plan.ir import Plan, Purpose
from dnnlang.plan.judge import judge
from dnnlang.primitives.values import Role
from dnnlang.sizes import evaluate
from dnnlang.source import SourceFile
from dnnlang.training.gradcheck import relative_error
from dnnlang.training.plan_check import TooLargeError, check
from tests.plan.mutations import MUTATIONS, Json, strip_claims

PROGRAMS = {
    "layers": "input 3; layer 4 relu; layer 3 tanh; layer 1 sigmoid; train { l2 0.1; optimizer momentum }",
    "residual": """
input 3 as x
layer 4 relu as h
dropout 0.5
layer 4 tanh
add from h, _
concat from _, x
layer 3 softmax
train { clip_norm 0.25; optimizer adam }
""",
    "normal": """
input 3
standardize
layer 4 leaky_relu
batchnorm
layer 3 tanh
layernorm
layer 2 linear
train { l2 0.5 }
""",
    "two_tasks": """
input 3 as x
layer 4 tanh as a trainable=no
layer 2 softmax from a as c
layer 4 relu from a as b share=a2
layer 2 linear from b as d
loss cross_entropy from c weight=0.5
loss mse from d
""".replace(" share=a2", ""),
}
SAME = 1e-12
CAMPAIGN = 500


@cache
def made(name: str, level: int) -> str:
    return dnnlang.compile(PROGRAMS[name], optimize=level).to_json(indent=None)


def read(text: str, found: Diagnostics) -> PlanFile | None:
    return read_plans(SourceFile("plan.json", text), found)


@cache
def right(name: str, level: int) -> str:
    """Without claims."""
    file: Json = json.loads(made(name, level))
    strip_claims(file)
    return json.dumps(file)


@cache
def right_results(name: str, level: int, m: int) -> list[dict[str, np.ndarray]]:
    file = read(right(name, level), Diagnostics())
    assert file is not None
    return [results(plan, m) for plan in file.plans]


def corrupted(seed: int) -> Iterator[tuple[str, str, int, str]]:
    """Corruption after corruption: what was done, to which program at which level, and the file that this makes."""
    random = Random(seed)
    while True:
        name, level = random.choice(list(PROGRAMS)), random.randrange(3)
        file: Json = json.loads(right(name, level))
        mutation = random.choice(MUTATIONS)
        what = mutation(file, random)
        wrong = json.dumps(file)
        if what is not None and wrong != right(name, level):
            yield f"{mutation.__name__}: {what} ({name} -O{level})", name, level, wrong


def verdict(name: str, level: int, wrong: str) -> str:
    """How the corruption shows: malformed, verifier, numbers, equivalent; `left over` if it does not."""
    file = read(wrong, Diagnostics())
    if file is None:
        return "malformed"
    if judge(file):
        return "verifier"
    try:
        findings = check(file.architecture, file.plans, with_settings=file.with_settings)
    except TooLargeError:
        return "numbers"
    if any(f.problem is not None for f in findings):
        return "numbers"
    same = all(
        equal(a, results(plan, m))
        for m in (3, 5)
        for a, plan in zip(right_results(name, level, m), file.plans, strict=True)
    )
    return "equivalent" if same else "left over"


# ---------------------------------------------------------------- what a plan computes, slots and all


def results(plan: Plan, m: int) -> dict[str, np.ndarray]:
    """Everything that a run leaves behind, by the backend that lays values out as the plan says."""
    random = np.random.default_rng(m)

    def drawn(rows: int, columns: int, role: Role) -> np.ndarray:
        positive = role in (Role.STATE, Role.STATISTIC, Role.TARGET)
        return random.uniform(0.5, 1.5, (rows, columns)) if positive else random.normal(size=(rows, columns))

    brought = [*plan.inputs.items(), *plan.targets.items()]
    lasting = [*plan.parameters.values(), *plan.statistics.values(), *plan.state.values()]
    arrays = {n: drawn(evaluate(v.shape[0], {"m": m}), m, v.role) for n, v in sorted(brought)}
    persistent = {
        v.name: drawn(evaluate(v.shape[0], {}), evaluate(v.shape[1], {}), v.role)
        for v in sorted(lasting, key=lambda v: v.name)
    }
    for value in (v for i in plan.instructions for v in i.outputs):
        if value.role in PERSISTENT and value.name not in persistent:
            persistent[value.name] = np.zeros((evaluate(value.shape[0], {}), evaluate(value.shape[1], {})))
    executable = Executable(plan, m, np.float64, persistent, seed=1)
    executable.place(aligned_buffer(executable.arena_bytes()))
    inputs = {n: arrays[n] for n in plan.inputs}
    targets = {n: arrays[n] for n in plan.targets}
    found = {f"output {n}": a for n, a in executable.forward(inputs, step=1).items()}
    if plan.loss is not None:
        runs = {
            Purpose.INFERENCE: partial(executable.loss, penalty=True),
            Purpose.GRADIENTS: executable.gradients,
            Purpose.STEP: partial(executable.step, rate=0.1),
        }
        found["J"] = np.asarray(runs[plan.purpose](inputs, targets, step=1))
    wanted = {v.name for v in (*lasting, *plan.gradients.values())}
    return found | {n: a.copy() for n, a in persistent.items() if n in wanted}


def equal(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return a.keys() == b.keys() and all(a[n].shape == b[n].shape and relative_error(a[n], b[n]) <= SAME for n in a)


# ---------------------------------------------------------------- the test


def campaign(seed: int, count: int) -> tuple[Counter[str], list[str]]:
    verdicts: Counter[str] = Counter()
    left = []
    for (what, name, level, wrong), _ in zip(corrupted(seed), range(count), strict=False):
        found = verdict(name, level, wrong)
        verdicts[found] += 1
        if found == "left over":
            left.append(what)
    return verdicts, left


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("level", [0, 1, 2])
def test_right_plans_are_found_right(name: str, level: int) -> None:
    found = Diagnostics()
    file = read(made(name, level), found)
    assert file is not None
    assert judge(file) == []
    findings = check(file.architecture, file.plans, with_settings=file.with_settings)
    assert [f for f in findings if f.problem is not None] == []
    assert {f.kind for f in findings} >= {"gradient", "update", "loss", "output"}


def test_five_hundred_corruptions_are_all_found_or_change_nothing() -> None:
    verdicts, left = campaign(5, CAMPAIGN)
    assert left == []
    assert verdicts["numbers"] >= CAMPAIGN // 20  # the verifier does not hide a numeric check that finds nothing
    assert verdicts["equivalent"] <= CAMPAIGN // 4


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 120))
def test_ten_thousand_more(seed: int) -> None:
    assert campaign(seed, CAMPAIGN)[1] == []
