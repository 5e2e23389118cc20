"""The Python API around programs: what a compiled program tells about itself."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

import dnnlang
from tests.api.schema import problems

ONE_LINER = "layer 5 relu; layer 1 sigmoid"
EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.dnn"))


def one_liner(optimize: int = 1) -> dnnlang.Program:
    return dnnlang.compile(ONE_LINER, sizes={"n[0]": 3}, optimize=optimize)


def test_the_package_imports_nothing_heavy() -> None:
    code = "import sys, dnnlang; print(sorted({'numpy', 'networkx', 'lark', 'rich', 'safetensors'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_every_public_name_is_there() -> None:
    assert all(getattr(dnnlang, name) is not None for name in dnnlang.__all__)
    assert set(dnnlang.__all__) <= set(dir(dnnlang))
    with pytest.raises(AttributeError, match="no attribute 'compyle'"):
        dnnlang.compyle  # noqa: B018


def test_errors_have_one_root() -> None:
    for error in (dnnlang.CompileError, dnnlang.DataError, dnnlang.ModelFileError, dnnlang.UsageError):
        assert issubclass(error, dnnlang.DnnError)
    assert not issubclass(dnnlang.InternalError, dnnlang.DnnError)


def test_parameters_and_graph() -> None:
    program = one_liner()
    assert program.parameters == {"W[1]": (5, 3), "b[1]": (5, 1), "W[2]": (1, 5), "b[2]": (1, 1)}
    assert list(program.graph.nodes)[-1] == "layer[2]"
    assert program.symbols == ()
    assert dnnlang.compile(ONE_LINER).symbols == ("n[0]",)


def test_instructions_say_what_they_do_and_where_it_is_written() -> None:
    program = dnnlang.compile("input 3\nlayer 5 relu\nlayer 1 sigmoid\n", optimize=1)
    step = program.forward[1]
    assert (step.label, step.operation, step.inputs, step.output) == ("F2", "map", ("Z[1]",), "A[1]")
    assert (str(step.shape[0]), str(step.shape[1]), step.slot, step.in_place) == ("5", "m", 1, True)
    assert step.formula == "A[1] = relu(Z[1])"
    assert step.kept == ("dW[2] in B2", "relu' in B5")
    assert step.position is not None
    assert step.position.line == 2
    assert [s.output for s in program.backward] == ["dZ[2]", "dW[2]", "db[2]", "dA[1]", "dZ[1]", "dW[1]", "db[1]"]


def test_the_cache_says_who_and_why() -> None:
    [first, second] = one_liner().cache
    assert (first.value, str(first.bytes), first.slot, first.written_by) == ("A[1]", "20*m", 1, "F2")
    assert (first.read_by, first.why) == (("B2", "B5"), "dW[2] in B2, relu' in B5")
    assert (second.value, second.read_by) == ("A[2]", ("B1",))


def test_without_optimisation_the_cache_is_the_lesson_s() -> None:
    cache = {c.value: c for c in one_liner(optimize=0).cache}
    assert list(cache) == ["Z[1]", "A[1]", "Z[2]", "A[2]", "W[1]", "b[1]", "W[2]", "b[2]"]
    assert all(cache[name].bytes == 0 and cache[name].slot is None for name in ("W[1]", "b[1]", "W[2]", "b[2]"))
    assert len({c.slot for c in cache.values() if c.slot is not None}) == 4


def test_memory_is_a_formula_in_m() -> None:
    needs = one_liner().memory()
    assert (needs.parameters, needs.gradients, needs.state) == (104, 104, 0)
    assert str(needs.cache) == "24*m"
    assert str(needs.workspace) == "20*m"
    assert str(needs.peak) == str(needs.lower_bound) == "44*m + 208"
    assert one_liner().memory(m=64).peak == 3024
    assert one_liner(optimize=2).memory(m=64).peak == 24 * 64 + 208
    assert one_liner().memory(m=64, dtype="float64").peak == 2 * 3024
    assert one_liner().memory(m=64, purpose="inference").gradients == 0


def test_a_deep_net_keeps_one_buffer_a_layer() -> None:
    program = dnnlang.compile("input 12288\nlayer 20 relu\nlayer 7 relu\nlayer 5 relu\nlayer 1 sigmoid", optimize=1)
    assert [c.value for c in program.cache] == ["A[1]", "A[2]", "A[3]", "A[4]"]
    assert not any("Z[" in name for step in program.backward for name in step.inputs if not name.startswith("d"))


def test_open_sizes_stay_in_formulas_until_they_are_bound() -> None:
    program = dnnlang.compile("dim d\ninput d\nlayer 2*d relu\nlayer 1")
    assert {n: (str(r), str(c)) for n, (r, c) in program.parameters.items()}["W[1]"] == ("2*d", "d")
    assert "d" in str(program.memory().peak)
    bound = program.bind({"d": 3})
    assert bound.parameters["W[1]"] == (6, 3)
    assert program.load(sizes={"d": 3}).sizes == {"d": 3}
    assert program.bind({}) is program


def test_params_and_sizes_reach_the_program() -> None:
    text = "param width = 4\ndim d\ninput d\nlayer width relu\nlayer 1"
    program = dnnlang.compile(text, params={"width": 7}, sizes={"d": 2})
    assert program.parameters["W[1]"] == (7, 2)


def test_sizes_bound_one_after_the_other_are_kept() -> None:
    program = dnnlang.compile("dim d\nlayer d relu\nlayer 1", sizes={"d": 4}, params={})
    assert program.load(sizes={"n[0]": 2}).parameters["W[1]"].shape == (4, 2)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
@pytest.mark.parametrize("optimize", [0, 1, 2])
def test_examples_print_and_read_back(path: Path, optimize: int) -> None:
    program = dnnlang.compile_file(path, optimize=optimize)
    for purpose in ("inference", "gradients", "step"):
        listing = program.listing(purpose)
        again = dnnlang.read_plan(str(listing))
        assert again == listing
        assert str(again) == str(listing)
    assert str(program) == str(program.listing())


@pytest.mark.parametrize("text", ["", "layer 5 relu", "a\n\nb\n\nc", "\n\n\n", "{}"])
def test_what_is_no_plan_is_refused(text: str) -> None:
    with pytest.raises(dnnlang.UsageError, match="not the listing of a plan"):
        dnnlang.read_plan(text)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_json_obeys_its_schema(path: Path) -> None:
    schema = json.loads(files("dnnlang.plan").joinpath("plan.schema.json").read_text(encoding="utf-8"))
    made = json.loads(dnnlang.compile_file(path).to_json())
    assert problems(made, schema) == []
    made["plans"][0]["level"] = 7
    del made["nodes"][0]["kind"]
    assert len(problems(made, schema)) == 2


def test_json_says_what_the_plan_says() -> None:
    program = one_liner()
    made = json.loads(program.to_json(indent=None))
    inference, gradients, step = made["plans"]
    assert [p["purpose"] for p in (inference, gradients, step)] == ["inference", "gradients", "step"]
    assert [i["formula"] for i in gradients["instructions"]] == [s.formula for s in program.forward + program.backward]
    names = [v["name"] for v in gradients["values"]]
    product = gradients["instructions"][0]
    assert [names[n] for n in product["inputs"]] == ["W[1]", "X", "b[1]"]
    assert product["attributes"]["bias"] is True
    expressions = made["expressions"]
    relu = expressions[gradients["instructions"][1]["attributes"]["expr"]]
    assert relu["op"] == "maximum"
    assert [expressions[n]["op"] for n in relu["args"]] == ["variable", "constant"]
    assert all(n < at for at, e in enumerate(expressions) for n in e.get("args", ()))
    assert gradients["memory"]["peak"] == "44 m + 208"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: dnnlang.compile(ONE_LINER, optimize=3), "`optimize` is 0, 1 or 2, not 3"),
        (lambda: dnnlang.compile(ONE_LINER, optimize="2"), "`optimize` is 0, 1 or 2"),
        (lambda: dnnlang.compile(ONE_LINER).load(), r"the size n\[0\] is not known"),
        (lambda: one_liner().load(sizes={"k": 3}), "binds k, which is not an open size"),
        (lambda: one_liner().load(backend="cuda"), "there is no backend `cuda`"),
        (lambda: one_liner().load(dtype="float16"), "`dtype` is float32 or float64"),
        (lambda: one_liner().memory(m=0), "at least 1"),
        (lambda: dnnlang.compile_file("there/is/none.dnn"), "cannot read"),
    ],
)
def test_wrong_calls_say_what_is_right(call: object, message: str) -> None:
    with pytest.raises(dnnlang.UsageError, match=message) as caught:
        call()  # type: ignore[operator]
    assert caught.value.diagnostics


def test_a_wrong_program_has_diagnostics() -> None:
    with pytest.raises(dnnlang.CompileError) as caught:
        dnnlang.compile("layer 5 rleu; layer 1 sigmoid")
    [diagnostic] = caught.value.diagnostics
    assert diagnostic.span is not None
    assert diagnostic.span.column == 9


def test_what_does_not_fit_in_memory_is_refused_before_it_is_allocated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dnnlang.network.physical_memory", lambda: 2**30)
    monkeypatch.setattr("dnnlang.network.initial", lambda *_: pytest.fail("something was allocated"))
    huge = dnnlang.compile("layer 10^8; layer 1", sizes={"n[0]": 3})
    with pytest.raises(dnnlang.UsageError, match=r"its parameters need 1\.9 GiB, but this machine has 1\.0 GiB"):
        huge.load()


def test_a_batch_that_does_not_fit_in_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    network = dnnlang.compile("input 10\nlayer 1000 relu\nlayer 1").load()
    monkeypatch.setattr("dnnlang.network.physical_memory", lambda: 10 * 2**20)
    network.forward(np.ones((10, 8)))
    with pytest.raises(dnnlang.UsageError, match="a batch of 10,000 samples needs"):
        network.forward(np.ones((10, 10_000)))


def test_deep_chains_need_no_recursion() -> None:
    text = "input 4\n" + "layer 4 relu\n" * 1500 + "layer 1 sigmoid\n"
    limit = sys.getrecursionlimit()
    program = dnnlang.compile(text, optimize=2)
    assert len(program.backward) == 2 * 1501  # dZ; dW with db
    assert sys.getrecursionlimit() == limit
    assert "B3002" in str(program)
