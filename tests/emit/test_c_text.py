"""What of a program reaches C, and which parts of the headers a program gets."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dnnlang
from dnnlang.emit.c import c_files
from dnnlang.emit.c.names import Identifiers, comment
from dnnlang.emit.c.shake import needed

C_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


@given(st.lists(st.text(max_size=80), max_size=8))
def test_identifiers_are_distinct_words_of_c(names):
    made = Identifiers(["MODEL_SAMPLES"])
    found = [made.of("MODEL", name) for name in names]
    assert all(C_IDENTIFIER.fullmatch(identifier) and "__" not in identifier for identifier in found)
    assert len({identifier.lower() for identifier in (*found, "MODEL_SAMPLES")}) == len(names) + 1


@given(st.text())
def test_a_comment_cannot_end_early(text):
    shown = comment(text, "?")
    assert shown == "?" or shown == text
    assert not re.search(r"[^ -~]|/|\\|\?\?|\"|'", shown.removesuffix("?"))


def test_names_that_would_be_the_same_in_c_are_told_apart():
    made = Identifiers()
    assert [made.of("x", name) for name in ("a b", "a_b", "A-B")] == ["x_a_b", "x_a_b_2", "x_A_B_3"]


def test_no_text_of_a_program_is_c():
    """Names, comments and the program's own name go through the same gate."""
    program = dnnlang.compile(
        "# */ int main(void) { system(0); } /*\n"
        "input 2 as left  # */ bad\n"
        "input 1 as b\n"
        "concat from left, b as int\n"
        "layer 2 relu as main\n"
        "layer 1\n"
    )
    for content in c_files(program.load(), training=True, samples=2).values():
        assert content.isascii()
        assert "system" not in content
        assert "bad" not in content
    header = c_files(program.load())["model.h"]
    assert "int model_forward(model_arena *arena, int m, const float *x_left, const float *x_b, float *y);" in header


def test_labels_that_are_not_safe_become_numbers():
    from types import SimpleNamespace

    network = dnnlang.compile("input 2\nlayer 2 softmax").load()
    target = SimpleNamespace(classes=("setosa", "*/ evil"), columns=("species",))
    network.layout = SimpleNamespace(inputs={"X": ("width", "a\\\nb")}, targets={"Y": target})
    header = c_files(network)["model.h"]
    assert "width, (unit 1)" in header
    assert "setosa, (unit 1)" in header
    assert "evil" not in header


HEADER = """#ifndef DNN_SAMPLE_H
#define DNN_SAMPLE_H
#include <math.h>

#define ONE 1
/* Two lines
   of comment. */
#define LONG \\
    ONE
#if BITS == 32
typedef float real;
#else
typedef double real;
#endif
#if FAST
/* quick */
static real twice(real x) { return x + x; }
#elif BITS == 64
static real twice(real x) { return 2 * x; }
#else
static real twice(real x) { return 2 * x; }
#endif

static real other(real x) {
    return twice(x) * LONG;
}

typedef struct {
    real x;
} box;
typedef real (*function)(real);
static const real values[3] = {ONE};
#endif
"""


@pytest.mark.parametrize(
    ("wanted", "known", "there", "not_there"),
    [
        ("ONE", {"BITS": 32, "FAST": 0}, ["#define ONE 1"], ["real", "LONG", "#if"]),
        ("LONG", {"BITS": 32, "FAST": 0}, ["#define ONE 1", "Two lines\n   of comment."], ["real"]),
        ("other", {"BITS": 32, "FAST": 0}, ["typedef float real;", "return 2 * x", "LONG"], ["double", "quick", "#if"]),
        ("other", {"BITS": 64, "FAST": 1}, ["typedef double real;", "/* quick */", "x + x"], ["2 * x", "#if"]),
        ("twice", {"BITS": 64}, ["#if FAST", "#elif BITS == 64", "#else", "#endif"], ["other"]),
        ("box", {}, ["} box;", "#if BITS == 32", "typedef double real;"], ["twice"]),
        ("function values", {"BITS": 64}, ["(*function)", "values[3]", "#define ONE"], ["box", "FAST"]),
        ("nothing", {}, [], ["#"]),
    ],
)
def test_what_is_needed_of_a_header(wanted, known, there, not_there):
    text = needed([HEADER], [wanted], known)
    assert [each for each in there if each not in text] == []
    assert [each for each in not_there if each in text] == []


def test_an_unknown_condition_behind_a_false_one_begins_anew():
    text = needed(
        ["#if BITS == 64\n#define A 1\n#elif FAST\n#define A 2\n#else\n#define A 3\n#endif"], ["A"], {"BITS": 32}
    )
    assert text.split("\n") == ["#if FAST", "#define A 2", "#else", "#define A 3", "#endif"]
