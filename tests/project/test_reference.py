"""The language reference: up to date with the compiler, its programs compile, its links lead somewhere.

`pytest --update-golden` (or `python -m tools.reference`) writes it anew.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import dnnlang
from dnnlang.errors import InternalError
from dnnlang.plan.passes import PASSES
from tests.conftest import Golden
from tools.reference.facts import ROOT, activations
from tools.reference.pages import DOCS, page, pages
from tools.reference.plot import plot, values

BLOCK = re.compile(r"^```dnn( wrong)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NODES = re.compile(r"^(input|layer|apply|repeat)\b", re.MULTILINE)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
SHADOWS = "DNN405"
"""A definition of the library, shown as it stands, shadows itself where it is compiled."""

SHOWN = ("language.md", "library.md", "derivation.md", "plan.md")
"""Pages whose programs are tested here; those of diagnostics.md are those of the rules, and tested with them."""

generated = cache(pages)


def test_the_pages_are_up_to_date(golden: Golden) -> None:
    for path, text in generated().items():
        golden(path, text)


def test_nothing_is_left_over() -> None:
    assert set((DOCS / "plots").iterdir()) <= set(generated())


# ---------------------------------------------------------------- programs


def programs(*, wrong: bool) -> list[tuple[str, str]]:
    """The blocks of the pages, as they are on the disk."""
    return [
        (f"{name}-{number}", found.group(2))
        for name in SHOWN
        for number, found in enumerate(BLOCK.finditer((DOCS / name).read_text(encoding="utf-8")), 1)
        if bool(found.group(1)) is wrong
    ]


@pytest.mark.parametrize(("name", "program"), [pytest.param(*p, id=p[0]) for p in programs(wrong=False)])
def test_programs_compile(name: str, program: str) -> None:
    whole = program if NODES.search(program) else f"{program}layer 2\n"
    compiled = dnnlang.compile(whole)
    assert {d.code for d in compiled.warnings} <= {SHADOWS}
    assert compiled.forward


@pytest.mark.parametrize(("name", "program"), [pytest.param(*p, id=p[0]) for p in programs(wrong=True)])
def test_wrong_programs_do_not(name: str, program: str) -> None:
    with pytest.raises(dnnlang.CompileError):
        dnnlang.compile(program)


def test_every_example_with_an_idea_of_its_own_is_shown() -> None:
    shown = (DOCS / "language.md").read_text(encoding="utf-8")
    for name in ("autoencoder", "quantile", "tower", "twins", "two_tasks"):
        assert (ROOT / "examples" / f"{name}.dnn").read_text(encoding="utf-8") in shown


def test_the_page_about_the_plan_has_every_pass() -> None:
    text = (DOCS / "plan.md").read_text(encoding="utf-8")
    assert [each.name for each in PASSES if f"`{each.name}`" not in text] == []


# ---------------------------------------------------------------- links


@pytest.mark.parametrize("path", sorted([*ROOT.glob("*.md"), *DOCS.glob("**/*.md")]), ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    broken = []
    for target in LINK.findall(CODE.sub("", path.read_text(encoding="utf-8"))):
        file, _, anchor = target.partition("#")
        if ":" in file:
            continue
        found = (path.parent / file).resolve() if file else path
        if not found.exists() or (anchor and anchor not in anchors(found)):
            broken.append(target)
    assert broken == []


@cache
def anchors(path: Path) -> set[str]:
    """What headings of a page are called in links, by GitHub's rules."""
    headings = HEADING.findall(FENCED.sub("", path.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


# ---------------------------------------------------------------- the generator itself


@pytest.mark.parametrize(
    "text",
    [
        "{{nothing}}",
        "{{kinds 3}}",
        "{{message}}",
        "```dnn\nlayer 1\n```\n{{message}}",
        "{{steps minimal dW[9]}}",
        "{{plan 2}}",
        "```dnn\nlayer 1\n```\n{{plan 3}}",
        "```dnn\nlayer 1 sigmoid\n```\n{{pass 1 copies}}",  # which has nothing to do there
    ],
)
def test_a_mark_that_stands_for_nothing_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text(text, encoding="utf-8")
    with pytest.raises(InternalError):
        page(tmp_path / "page.md")


@pytest.mark.parametrize("name", sorted(activations()))
def test_plots_show_the_slope_of_the_curve_beside_it(name: str) -> None:
    z = np.array([-3.3, -2.1, -0.7, 0.4, 1.6, 3.6])
    h = 1e-6
    value, slope = values(activations()[name], z)
    above, below = (values(activations()[name], z + sign * h)[0] for sign in (1, -1))
    np.testing.assert_allclose(slope, (above - below) / (2 * h), atol=1e-8)
    assert np.isfinite(value).all()


def test_a_jump_of_the_slope_is_not_joined() -> None:
    pieces = re.findall(r'class="slope" points="([^"]*)"', plot("relu", activations()["relu"]))
    assert pieces == ["0,120 160,120", "162,80 320,80"]
    assert plot("tanh", activations()["tanh"]).count('class="slope" points') == 1
