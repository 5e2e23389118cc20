"""Compiling short programs in tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dnnlang.diagnostics import Diagnostic, Diagnostics
from dnnlang.graph.architecture import Architecture
from dnnlang.graph.build import build
from dnnlang.source import SourceFile
from dnnlang.syntax.parser import parse


def attempt(text: str, **options: Mapping[str, Any]) -> tuple[Architecture | None, list[Diagnostic]]:
    """The architecture of a program, and what was found."""
    found = Diagnostics()
    tree = parse(SourceFile("test.dnn", text), found)
    return build(tree, found, **options), found.in_source_order()


def built(text: str, **options: Mapping[str, Any]) -> Architecture:
    """The architecture of a program without errors."""
    architecture, found = attempt(text, **options)
    assert architecture is not None, [f"{d.code} {d.message}" for d in found]
    return architecture


def mistakes(text: str, **options: Mapping[str, Any]) -> list[Diagnostic]:
    """What is wrong with a program; it must not compile."""
    architecture, found = attempt(text, **options)
    assert architecture is None
    return found


def mistake(text: str, **options: Mapping[str, Any]) -> Diagnostic:
    """The one mistake of a program."""
    found = mistakes(text, **options)
    assert len(found) == 1, [f"{d.code} {d.message}" for d in found]
    return found[0]


def sizes(architecture: Architecture) -> dict[str, str]:
    """The size of every node, as text."""
    return {name: str(node.units) for name, node in architecture.nodes.items()}
