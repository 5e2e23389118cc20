"""What a drawing of the network shows, whatever the format: boxes in nested groups, and arrows between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath

from dnnlang.graph.architecture import Architecture, Copy, LossUse, Node
from dnnlang.graph.kinds.apply import ApplyDetail
from dnnlang.graph.kinds.dropout import DropoutDetail
from dnnlang.graph.kinds.layer import LayerDetail
from dnnlang.scalar.text import number
from dnnlang.sizes import Size


class Shape(StrEnum):
    """What a box stands for."""

    INPUT = "input"  # X: comes from the caller
    NODE = "node"
    OUTPUT = "output"  # a node whose value is what comes out of the network
    TARGET = "target"  # Y: comes from the caller, in training
    LOSS = "loss"


@dataclass(frozen=True, slots=True)
class Group:
    """A copy of a body, drawn as a frame. `number` tells the groups of a drawing apart, from 1."""

    number: int
    label: str


@dataclass(frozen=True, slots=True)
class Box:
    """`name` is unique in the drawing; `lines` are its text; `groups` are the frames around it, the outermost first."""

    name: str
    shape: Shape
    lines: tuple[str, ...]
    groups: tuple[Group, ...] = ()


@dataclass(frozen=True, slots=True)
class Arrow:
    """`label` says as which operands, from 1, the value goes in; empty where there is only one."""

    source: str
    target: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Drawing:
    """Boxes in the order of the program, so that those of a group stand together."""

    title: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


def drawing(architecture: Architecture) -> Drawing:
    """The drawing of a network: its nodes with shapes and parameters, then its targets and losses."""
    boxes = [*_nodes(architecture), *_targets(architecture), *_losses(architecture)]
    arrows = [arrow for node in architecture.nodes.values() for arrow in _incoming(node)]
    for place, use in enumerate(architecture.losses, 1):
        arrows += [Arrow(use.node, _loss_name(place)), Arrow(_target_name(use), _loss_name(place))]
    return Drawing(PurePath(architecture.source.name).name, tuple(boxes), tuple(arrows))


def frames(boxes: Iterable[Box]) -> Iterator[tuple[Box, tuple[Group, ...], int]]:
    """Each box, with the groups to open before it and how many of those that are open to close before that.

    Those still open after the last box are as many as it has groups.
    """
    open_groups: tuple[Group, ...] = ()
    for box in boxes:
        same = 0
        for one, other in zip(open_groups, box.groups, strict=False):
            if one is not other:
                break
            same += 1
        yield box, box.groups[same:], len(open_groups) - same
        open_groups = box.groups


# ---------------------------------------------------------------- nodes


def _nodes(architecture: Architecture) -> Iterator[Box]:
    inputs, outputs = frozenset(architecture.inputs), frozenset(architecture.outputs)
    owned = _owned(architecture)
    groups: dict[Copy, tuple[Group, ...]] = {}
    for node in architecture.nodes.values():
        shape = Shape.INPUT if node.name in inputs else Shape.OUTPUT if node.name in outputs else Shape.NODE
        named = node.name not in (node.value, _layer_name(node))
        name = (f"as {node.name}",) if named else ()
        value = f"{node.value} {_shape(node.units, 'm')}"
        lines = (_heading(node), *name, value, *_parameters(node, architecture, owned))
        yield Box(node.name, shape, lines, _groups(node.within, groups))


def _heading(node: Node) -> str:
    match node.detail:
        case LayerDetail(activation=activation):
            return f"{node.kind.name} {node.units} {activation.label}"
        case ApplyDetail(activation=activation):
            return f"{node.kind.name} {activation.label}"
        case DropoutDetail(rate=rate):
            return f"{node.kind.name} {number(rate)}"
        case _:
            return node.kind.name


def _layer_name(node: Node) -> str:
    """What a layer is called that has no name of its own."""
    return f"layer[{node.detail.l}]" if isinstance(node.detail, LayerDetail) else ""


def _parameters(node: Node, architecture: Architecture, owned: Mapping[str, list[str]]) -> Iterable[str]:
    """A line for each that it uses; of a layer's, those may be another layer's."""
    detail = node.detail
    if not isinstance(detail, LayerDetail):
        yield from owned.get(node.name, ())
        return
    rows, columns = architecture.parameters[detail.W].shape
    yield f"{detail.W}ᵀ {_shape(columns, rows)}" if detail.transpose else f"{detail.W} {_shape(rows, columns)}"
    if detail.b is not None:
        yield f"{detail.b} {_shape(*architecture.parameters[detail.b].shape)}"


def _owned(architecture: Architecture) -> Mapping[str, list[str]]:
    """Parameters and statistics under the name of the node that they belong to: `gamma[bn]` under `bn`."""
    owned: dict[str, list[str]] = {}
    shapes = {each.name: each.shape for each in architecture.parameters.values()}
    shapes |= {each.name: each.shape for each in architecture.statistics.values()}
    for name, shape in shapes.items():
        owner = name.partition("[")[2].removesuffix("]")
        owned.setdefault(owner, []).append(f"{name} {_shape(*shape)}")
    return owned


def _incoming(node: Node) -> Iterator[Arrow]:
    if len(node.inputs) == 1:
        yield Arrow(node.inputs[0], node.name)
        return
    places: dict[str, list[str]] = {}
    for place, source in enumerate(node.inputs, 1):
        places.setdefault(source, []).append(str(place))
    for source, at in places.items():
        yield Arrow(source, node.name, ", ".join(at))


def _shape(rows: object, columns: object) -> str:
    return f"({rows}, {columns})"


# ---------------------------------------------------------------- groups


def _groups(within: Copy | None, known: dict[Copy, tuple[Group, ...]]) -> tuple[Group, ...]:
    """The frames around a node; nodes of one copy share them."""
    fresh: list[Copy] = []
    copy = within
    while copy is not None and copy not in known:
        fresh.append(copy)
        copy = copy.outer
    groups = known[copy] if copy is not None else ()
    for inner in reversed(fresh):
        groups = (*groups, Group(len(known) + 1, _group_label(inner)))
        known[inner] = groups
    return groups


def _group_label(copy: Copy) -> str:
    expansion = copy.expansion
    if expansion.count is None:
        return f"{expansion.name} {copy.number}"
    counter = ""
    if expansion.counter is not None:
        counter = f", {expansion.counter} = {expansion.first + copy.number - 1}"
    return f"{expansion.name} {copy.number} of {expansion.count}{counter}"


# ---------------------------------------------------------------- losses


def _targets(architecture: Architecture) -> Iterator[Box]:
    units: dict[str, tuple[str, Size]] = {}
    for use in architecture.losses:
        units.setdefault(use.target, (_target_name(use), architecture.nodes[use.node].units))
    for target, (name, size) in units.items():
        yield Box(name, Shape.TARGET, ("target", f"{target} {_shape(size, 'm')}"))


def _losses(architecture: Architecture) -> Iterator[Box]:
    for place, use in enumerate(architecture.losses, 1):
        weight = "" if use.weight == 1 else f"weight {number(use.weight)}"
        summand = "J" if len(architecture.losses) == 1 else "a summand of J"
        yield Box(_loss_name(place), Shape.LOSS, tuple(filter(None, (f"loss {use.loss.label}", weight, summand))))


def _target_name(use: LossUse) -> str:
    # With a space, unlike any name in a program: a node may be called `target`.
    return f"target {use.target}"


def _loss_name(place: int) -> str:
    return f"loss {place}"
