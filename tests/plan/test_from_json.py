"""Plans from JSON: what was written comes back, and what is malformed is said where it stands."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dnnlang
from dnnlang.diagnostics import Diagnostics
from dnnlang.plan.from_json import PlanFile, read_plans
from dnnlang.plan.ir import Purpose
from dnnlang.plan.json_schema import problems
from dnnlang.plan.judge import judge
from dnnlang.plan.memory import memory
from dnnlang.plan.to_json import VERSION, plan_json
from dnnlang.sizes import SizeError
from dnnlang.sizes.read import read_maximum, read_size
from dnnlang.source import SourceFile
from tests.api.schema import problems as second_opinion
from tests.exploring import examples
from tests.programs import ProgramSpec, programs

Json = dict[str, Any]

PROGRAM = """
dim d
input d as x
layer 2*d relu as h
dropout 0.5
layer 2*d tanh
batchnorm
add from h, _
concat from _, h
layer 1 sigmoid
train { l2 0.1; clip_norm 1; optimizer adam }
"""


@cache
def text_of(level: int = 1) -> str:
    return dnnlang.compile(PROGRAM, optimize=level).to_json()


def read(text: str) -> tuple[PlanFile | None, list[str]]:
    found = Diagnostics()
    file = read_plans(SourceFile("plan.json", text), found)
    return file, [f"{d.span}: {d.message}" for d in found.found]


def without_texts(plan: Json) -> Json:
    """Without positions and places in the table of expressions, which are those of another file."""
    kept = {k: v for k, v in plan.items() if k != "instructions"}
    steps = [
        {k: i[k] for k in ("label", "operation", "inputs", "inner", "outputs", "in_place", "formula")}
        for i in plan["instructions"]
    ]
    return {**kept, "instructions": steps}


@pytest.mark.parametrize("level", [0, 1, 2])
@given(spec=programs())
@settings(max_examples=examples(15))
def test_what_is_written_comes_back(level: int, spec: ProgramSpec) -> None:
    program = dnnlang.compile(spec.text, optimize=level)
    file, wrong = read(program.to_json(indent=None))
    assert wrong == []
    assert file is not None
    assert judge(file) == []
    for purpose, plan in zip(Purpose, file.plans, strict=True):
        original = program.plan(purpose)
        assert without_texts(plan_json(plan)) == without_texts(plan_json(original))
        assert memory(plan) == memory(original)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_open_sizes_come_back(level: int) -> None:
    file, wrong = read(text_of(level))
    assert wrong == []
    assert file is not None
    assert file.architecture.symbols == ("d",)
    assert judge(file) == []


def test_the_schema_is_versioned_and_ships() -> None:
    schema = json.loads(files("dnnlang.plan").joinpath("plan.schema.json").read_text(encoding="utf-8"))
    assert schema["$id"].endswith(f":{VERSION}")
    assert schema["properties"]["version"] == {"const": VERSION}
    made = json.loads(text_of(2))
    assert problems(made) == second_opinion(made, schema) == []


def edited(change: Callable[[Json], None]) -> list[str]:
    file = json.loads(text_of())
    change(file)
    plans, wrong = read(json.dumps(file, indent=2, ensure_ascii=False))
    assert plans is None
    return wrong


def instruction(file: Json, operation: str, plan: int = 1) -> Json:
    return next(i for i in file["plans"][plan]["instructions"] if i["operation"] == operation)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.pop("format"), "this is no plan"),
        (lambda f: f.update(version=1), "the version of this file is not 2"),
        (lambda f: f.update(version=True), "the version of this file is not 2"),
        (lambda f: f.pop("plans"), "`plans` is missing"),
        (lambda f: f.update(extra=1), 'extra: "extra" does not belong here'),
        (lambda f: f["plans"][0].update(level="1"), 'plans[0].level: "1" is not one of 0, 1, 2'),
        (
            lambda f: f["plans"][1]["instructions"][0]["inputs"].append("x"),
            'plans[1].instructions[0].inputs[3]: "x" stands',
        ),
        (
            lambda f: f["plans"][1]["instructions"][0]["inputs"].append(9999),
            "plans[1].instructions[0].inputs[3]: there is no value 9999",
        ),
        (
            lambda f: f["plans"][1]["instructions"][1].update(label="F7"),
            "plans[1].instructions[1].label: the label should be F2",
        ),
        (
            lambda f: f["plans"][2]["values"][0]["shape"].append(1),
            "plans[2].values[0].shape: 3 items, where there should be 2",
        ),
        (lambda f: f["plans"][2]["values"][0].update(shape=["m m", 1]), "plans[2].values[0].shape[0]: this is no size"),
        (lambda f: f["plans"][2]["values"][0].update(slot=99), "plans[2].values[0].slot: there is no slot 99"),
        (
            lambda f: f["plans"][2]["outputs"].update({"layer[3]": 9999}),
            'plans[2].outputs["layer[3]"]: there is no value',
        ),
        (lambda f: f["plans"][1]["slots"][0].update(on=[77]), "plans[1].slots[0].on[0]: there is no slot 77"),
        (lambda f: f["expressions"][0].update(op="sinh", args=[]), "expressions[0].op: there is no operation `sinh`"),
        (lambda f: f["expressions"][3].update(op="add", args=[7, 8]), "expressions[3]"),
        (
            lambda f: instruction(f, "map")["attributes"].update(expr=9999),
            "attributes.expr: there is no expression 9999",
        ),
        (lambda f: instruction(f, "mask")["attributes"].update(rate="1/0"), "attributes.rate"),
        (lambda f: instruction(f, "mask")["attributes"].pop("rate"), "attributes: `rate` is missing"),
        (lambda f: instruction(f, "update", 2)["outputs"].pop(), "outputs: update has 3 outputs, not 2"),
        (lambda f: instruction(f, "stack").update(inner=[0]), "inner: only a fused step has inner values"),
        (lambda f: f["parameters"].append(f["parameters"][0]), "stands here a second time"),
        (
            lambda f: f["settings"]["optimizer"]["state"].append("w"),
            "settings.optimizer.state: two things have the same name",
        ),
    ],
)
def test_what_is_malformed_is_said_where_it_stands(change: Callable[[Json], None], message: str) -> None:
    wrong = edited(change)
    assert len(wrong) == 1
    assert message in wrong[0]
    assert wrong[0].startswith("plan.json:")


def test_a_position_is_that_of_what_is_wrong() -> None:
    text = text_of()
    at = text.index('"level": 1') + len('"level": ')
    wrong = read(f"{text[:at]}7{text[at + 1 :]}")[1]
    line = text[:at].count("\n") + 1
    assert wrong[0].startswith(f"plan.json:{line}:{at - text.rindex(chr(10), 0, at)}: plans[0].level: 7")


def test_expressions_beyond_all_measure_are_refused() -> None:
    """Each node doubles what the one before stands for."""
    doubling = [{"op": "constant", "value": "2"}, *({"op": "add", "args": [n, n]} for n in range(2000))]
    assert "more than 10,000,000 operations" in edited(lambda f: f.update(expressions=doubling))[0]


FUSED: Json = {
    "operation": "fused",
    "attributes": {"members": [{"operation": "stack", "attributes": {}, "inputs": [0], "outputs": [1]}]},
}


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([([0], [9])], "members[0].outputs[0]: the step has 4 values, none is 9"),
        ([([3], [2])], "members[0].inputs[0]: reads 3 before it is written"),
        ([([0, 1], [2]), ([2], [2])], "members[1].outputs[0]: writes 2 a second time"),
        ([([0], [2]), ([2], [3])], "attributes.members: no member reads the value at 1"),
        ([([0, 1], [3])], "attributes.members: no member writes the value at 2"),
    ],
)
def test_a_fused_step_that_leads_nowhere(members: list[tuple[list[int], list[int]]], message: str) -> None:
    """Two inputs, one inner value, one output."""

    def change(file: Json) -> None:
        i = instruction(file, "stack")
        stated = [{"operation": "stack", "attributes": {}, "inputs": a, "outputs": b} for a, b in members]
        i.update(operation="fused", inner=[0], attributes={"members": stated})

    assert message in edited(change)[0]


@given(st.data())
@settings(max_examples=examples(60), deadline=None)
def test_no_edit_is_an_internal_error(data: st.DataObject) -> None:
    """Anything anywhere: there is a diagnostic, or the plan is still right."""
    file = json.loads(text_of(data.draw(st.integers(0, 2))))
    for _ in range(data.draw(st.integers(1, 3))):
        place = file
        while isinstance(place, dict | list) and place:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = data.draw(st.sampled_from(keys))
            if not isinstance(place[key], dict | list) or data.draw(st.integers(0, 9)) == 0:
                place[key] = data.draw(JUNK)
                break
            place = place[key]
    found = Diagnostics()
    plans = read_plans(SourceFile("plan.json", json.dumps(file)), found)
    if plans is None:
        assert found.found
    else:
        judge(plans)


JUNK = st.sampled_from(
    [None, True, 0, 1, -1, 10**30, 1.5, "", "m", "x", "1/0", "1/3", [], {}, [0], "m^2", "J", "map", "a//b", "9" * 30]
)


# ---------------------------------------------------------------- sizes


def sizes() -> st.SearchStrategy[str]:
    names = st.sampled_from(["m", "d", "n[0]", "n[stem]", "2", "3", "17"])
    return st.recursive(
        names,
        lambda inner: st.builds(
            lambda a, op, b: f"({a}) {op} ({b})", inner, st.sampled_from(["+", "-", "*", "//", "/"]), inner
        ),
        max_leaves=8,
    )


@given(sizes())
def test_sizes_are_read_as_they_are_written(text: str) -> None:
    try:
        size = read_size(text)
    except SizeError:
        return
    assert read_size(str(size)) == size


def test_a_maximum_is_read() -> None:
    assert str(read_maximum("max(8*m, 4*d)")) == "max(8*m, 4*d)"
    assert read_maximum("max(8*m, 4*m)") == read_size("8*m")


@pytest.mark.parametrize(
    "text",
    ["", "m +", "2 3", "(m", "m)", "-", "m ** 2", "9" * 20, "(" * 200 + "m", "max(m, 2)", "m # 2", "2^63", "m/0"],
)
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(SizeError):
        read_size(text)
