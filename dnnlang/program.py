"""A compiled program: its graph, its plans, what they need; and `load`, which makes a network of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from dnnlang.diagnostics import Diagnostic, Diagnostics, rule
from dnnlang.errors import CompileError, UsageError
from dnnlang.graph.architecture import Architecture
from dnnlang.graph.build import build
from dnnlang.plan.after import pass_called, purpose_of
from dnnlang.plan.budget.amount import read_bytes
from dnnlang.plan.ir import Options, Plan, Purpose
from dnnlang.plan.listing import Listing
from dnnlang.plan.memory import ITEM_BYTES, Memory, memory
from dnnlang.plan.passes import DEFAULTS, make_plan
from dnnlang.plan.text import listing
from dnnlang.plan.view import CacheSlot, Step, View
from dnnlang.sizes import Size
from dnnlang.source import SourceFile
from dnnlang.syntax.files import read_source, source_from_text
from dnnlang.syntax.imports import Files, Folder, Kept, with_imports
from dnnlang.syntax.parser import parse

if TYPE_CHECKING:
    import networkx

    from dnnlang.network import Network

LEVELS = (0, 1, 2)

BAD_ARGUMENT = rule(
    "DNN870",
    "bad-argument",
    "A call of the Python API has an argument that it cannot use.",
    why="`optimize` is 0, 1 or 2; `backend` is a backend that is there; `dtype` is float32 or float64; `sizes` binds "
    "the sizes that the program leaves open, and only those; `memory_budget` is a number of bytes, or a text such as "
    '"64MiB".',
    wrong='dnnlang.compile("layer 1 sigmoid", optimize=3)',
    right='dnnlang.compile("layer 1 sigmoid", optimize=2)',
    program=False,
)
OPEN_SIZE = rule(
    "DNN871",
    "open-size",
    "A program is loaded although one of its sizes is not known.",
    why="Numbers need arrays, and arrays need sizes. Nothing in the program fixes this one, so `load` must be told.",
    wrong='dnnlang.compile("layer 1 sigmoid").load()',
    right='dnnlang.compile("layer 1 sigmoid").load(sizes={"n[0]": 3})',
    program=False,
)

BUDGET = rule(
    "DNN878",
    "memory-budget",
    "A memory budget is asked for where there can be none.",
    why="What fits depends on the number of samples in a batch and on all sizes of the program, so these must be "
    "known. At -O0 every value is kept, as in the lesson.",
    wrong="dnnc compile lesson.dnn --memory-budget 64MiB",
    right="dnnc compile lesson.dnn --memory-budget 64MiB --batch 256",
    program=False,
)

Param = int | float | Fraction | str


class Program:
    """A checked program. Its plans are made when first asked for.

    `architecture` is the checked network, `optimize` the level; `sizes` are the open sizes bound so far. `warnings`
    are the diagnostics of the compile. `options` is what its plans were asked to be, besides.
    """

    def __init__(
        self,
        architecture: Architecture,
        optimize: int = 2,
        *,
        sizes: Mapping[str, int] | None = None,
        warnings: tuple[Diagnostic, ...] = (),
        options: Options = DEFAULTS,
    ) -> None:
        self.architecture = architecture
        self.optimize = _checked_level(optimize)
        self.options = _checked_options(options, architecture, optimize)
        self.sizes: dict[str, int] = dict(sizes or {})
        self.warnings = warnings
        self._plans: dict[tuple[Purpose, bool, int], Plan] = {}
        self._views: dict[Purpose, View] = {}

    # ------------------------------------------------------------ what it is

    @property
    def graph(self) -> networkx.DiGraph:
        """Nodes and edges of the network, with inferred shapes as attributes."""
        return self.architecture.graph

    @property
    def parameters(self) -> dict[str, tuple[Size, Size]]:
        """Shapes by name: `{"W[1]": (5, 3), …}`."""
        return {p.name: p.shape for p in self.architecture.parameters.values()}

    @property
    def statistics(self) -> dict[str, tuple[Size, Size]]:
        """Shapes of what nodes measure instead of training it: `{"running_mean[bn]": (5, 1), …}`."""
        return {s.name: s.shape for s in self.architecture.statistics.values()}

    @property
    def symbols(self) -> tuple[str, ...]:
        """The sizes that are still open."""
        return self.architecture.symbols

    # ------------------------------------------------------------ its plans

    def plan(self, purpose: str = "gradients", *, training: bool | None = None, dtype: str = "float32") -> Plan:
        """The plan for `inference`, `gradients` or a `step`, made at the first call.

        `training` decides about dropout and the like; by default only inference goes without. With a memory budget the
        plan can depend on the `dtype`. Raises UsageError where no plan fits the budget, or a size is open that it
        depends on.
        """
        wanted = Purpose(purpose)
        options = self._options(dtype)
        key = (wanted, wanted is not Purpose.INFERENCE if training is None else training, options.item_bytes)
        if key not in self._plans:
            self._plans[key] = make_plan(
                self.architecture, wanted, level=self.optimize, training=key[1], options=options
            )
        return self._plans[key]

    def _options(self, dtype: str = "float32") -> Options:
        """The options of a plan for numbers of this dtype. Without a budget plans are the same for all."""
        if self.options.memory_budget is None:
            return self.options
        if self.symbols:
            name = self.symbols[0]
            message = f"the size {name} is not known, so nobody can say what fits a memory budget"
            raise UsageError(BUDGET.at(None, message, help=f"bind it: -D '{name}=3', or sizes={{\"{name}\": 3}}"))
        return replace(self.options, item_bytes=item_bytes(dtype))

    @property
    def forward(self) -> tuple[Step, ...]:
        """The forward instructions, in order."""
        return self._view().forward

    @property
    def backward(self) -> tuple[Step, ...]:
        """The backward instructions, in order."""
        return self._view().backward

    @property
    def updates(self) -> tuple[Step, ...]:
        """What changes besides, after the gradients: running statistics. Parameters change in the plan of a step."""
        return self._view().updates

    @property
    def cache(self) -> tuple[CacheSlot, ...]:
        """What the forward instructions keep for the backward ones, and why."""
        return self._view().cache()

    def memory(self, m: int | None = None, *, purpose: str = "gradients", dtype: str = "float32") -> Memory:
        """Bytes of parameters, statistics, gradients, state, cache and workspace, their peak and its lower bound.

        Formulas in m, or for a given m numbers (unless other sizes are open).
        """
        if m is not None and m < 1:
            raise UsageError(BAD_ARGUMENT.at(None, f"m is the number of samples, at least 1, not {m!r}"))
        needs = memory(self.plan(purpose, dtype=dtype), item_bytes(dtype))
        return needs if m is None else needs.at(m)

    def listing(self, purpose: str = "gradients", *, after: str | None = None) -> Listing:
        """All that the text of a plan shows; `dnnlang.read_plan(str(listing))` equals it.

        `after` stops behind the pass of that name; if the pass has no part in a plan for `purpose`, it is one for a
        step. Raises UsageError where no such pass runs at this level.
        """
        if after is None:
            return listing(self.plan(purpose))
        chosen = pass_called(after, self.optimize)
        wanted = purpose_of(chosen, Purpose(purpose))
        training = wanted is not Purpose.INFERENCE
        plan = make_plan(
            self.architecture,
            wanted,
            level=self.optimize,
            training=training,
            after=chosen.name,
            options=self._options(),
        )
        found = listing(plan)
        return replace(found, title=f"{found.title}, after {chosen.name}")

    def __str__(self) -> str:
        return str(self.listing())

    def __repr__(self) -> str:
        return f"<Program {self.architecture.source.name}, -O{self.optimize}>"

    def to_json(self, *, indent: int | None = 2) -> str:
        """The program and its plans as JSON, by the schema in dnnlang/plan/plan.schema.json."""
        from dnnlang.plan.to_json import program_json

        return program_json(self.architecture, [self.plan(p) for p in Purpose], indent=indent)

    def _view(self) -> View:
        if Purpose.GRADIENTS not in self._views:
            self._views[Purpose.GRADIENTS] = View(self.plan("gradients"))
        return self._views[Purpose.GRADIENTS]

    # ------------------------------------------------------------ numbers

    def bind(self, sizes: Mapping[str, int]) -> Program:
        """The program with these open sizes bound. Raises CompileError where they contradict what the program says."""
        if not sizes:
            return self
        for name in sizes:
            if name not in self.symbols:
                raise UsageError(self._not_open(name))
        together = {**self.sizes, **sizes}
        a = self.architecture
        return _compiled(a.source, Kept(a.imports), a.params, together, self.optimize, self.options)

    def within(self, memory_budget: int | str, batch: int | None = None) -> Program:
        """The program with plans for gradients and steps that need `memory_budget` bytes at most.

        All counts that a plan's peak counts, at a batch of `batch` samples; by default that of the training settings.
        The budget is a number, or a text such as "64MiB".
        """
        options = replace(self.options, memory_budget=_bytes(memory_budget), batch=batch)
        return Program(self.architecture, self.optimize, sizes=self.sizes, warnings=self.warnings, options=options)

    def keeping_gradients(self) -> Program:
        """The program whose plan for a step keeps every gradient until the update."""
        options = replace(self.options, keep_gradients=True)
        return Program(self.architecture, self.optimize, sizes=self.sizes, warnings=self.warnings, options=options)

    def load(
        self,
        backend: str = "numpy",
        dtype: str = "float32",
        seed: int | None = None,
        sizes: Mapping[str, int] | None = None,
    ) -> Network:
        """A network with initial parameters. `sizes` binds the sizes that are still open.

        The seed is by default that of the training settings. Raises UsageError for what cannot be loaded, among
        it a network that is larger than the machine's memory.
        """
        from dnnlang.network import Network

        program = self.bind(sizes or {})
        if program.symbols:
            name = program.symbols[0]
            message = f"the size {name} is not known, so there is nothing to load yet"
            raise UsageError(OPEN_SIZE.at(None, message, help=f'bind it: load(sizes={{"{name}": 3}})'))
        return Network(program, backend=backend, dtype=dtype, seed=seed)

    def _not_open(self, name: str) -> Diagnostic:
        open_sizes = ", ".join(self.symbols)
        known = f"these are open: {open_sizes}" if open_sizes else "the program leaves no size open"
        return BAD_ARGUMENT.at(None, f"`sizes` binds {name}, which is not an open size", help=known)


def compile(
    text: str,
    *,
    params: Mapping[str, Param] | None = None,
    sizes: Mapping[str, int] | None = None,
    optimize: int = 2,
    base: str | os.PathLike[str] | None = None,
    keep_gradients: bool = False,
    memory_budget: int | str | None = None,
    batch: int | None = None,
) -> Program:
    """Compile the text of a program. `base` is the folder that its imports are relative to.

    `keep_gradients` keeps every gradient in the plan of a step. With a `memory_budget` (bytes, or "64MiB"), plans for
    gradients and steps compute values again rather than needing more at a batch of `batch` samples.

    Raises CompileError, whose `diagnostics` say what is wrong and where.
    """
    found = Diagnostics()
    source = source_from_text("program", text, found)
    if source is None:
        raise CompileError(*found.in_source_order())
    files = Folder(os.fspath(base)) if base is not None else None
    options = Options(keep_gradients, _bytes(memory_budget), batch)
    return _compiled(source, files, params or {}, sizes or {}, optimize, options)


def compile_file(
    path: str | os.PathLike[str],
    *,
    params: Mapping[str, Param] | None = None,
    sizes: Mapping[str, int] | None = None,
    optimize: int = 2,
    keep_gradients: bool = False,
    memory_budget: int | str | None = None,
    batch: int | None = None,
) -> Program:
    """Compile the program in a file; options as in `compile`.

    Raises CompileError, or UsageError where the file cannot be read.
    """
    options = Options(keep_gradients, _bytes(memory_budget), batch)
    return _compiled(read_source(path), Folder.of(path), params or {}, sizes or {}, optimize, options)


def compile_stored(
    name: str,
    text: str,
    *,
    imports: Mapping[str, str],
    params: Mapping[str, Param],
    sizes: Mapping[str, int],
    optimize: int,
) -> Program:
    """Compile a program that a model file holds, its imports with it, by path. Raises CompileError."""
    found = Diagnostics()
    source = source_from_text(name, text, found)
    if source is None:
        raise CompileError(*found.in_source_order())
    files: dict[str, SourceFile] = {}  # by text: a file was stored for every path that leads to it
    kept = {path: files.setdefault(t, SourceFile(path, t, imported=True)) for path, t in imports.items()}
    return _compiled(source, Kept(kept), params, sizes, optimize)


def _compiled(
    source: SourceFile,
    files: Files | None,
    params: Mapping[str, Param],
    sizes: Mapping[str, int],
    optimize: int,
    options: Options = DEFAULTS,
) -> Program:
    level = _checked_level(optimize)
    found = Diagnostics()
    tree = with_imports(parse(source, found), files, found)
    architecture = build(tree, found, params=params, sizes=sizes)
    if architecture is None or found.failed:
        raise CompileError(*found.in_source_order())
    return Program(architecture, level, sizes=sizes, warnings=tuple(found.in_source_order()), options=options)


def _checked_level(optimize: int) -> int:
    if optimize not in LEVELS or isinstance(optimize, bool):
        raise UsageError(BAD_ARGUMENT.at(None, f"`optimize` is 0, 1 or 2, not {optimize!r}", help="2 is the default"))
    return optimize


def _bytes(budget: int | str | None) -> int | None:
    """A memory budget in bytes. Raises UsageError for what is none."""
    amount = read_bytes(budget) if isinstance(budget, str) else budget
    if budget is None or _is_count(amount):
        return amount
    message = f"`memory_budget` is a number of bytes above 0, not {budget!r}"
    raise UsageError(BAD_ARGUMENT.at(None, message, help='write 67_108_864, or "64MiB"'))


def _is_count(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and number > 0


def _checked_options(options: Options, architecture: Architecture, optimize: int) -> Options:
    """The options, the batch filled in. Raises UsageError where they do not go together."""
    batch, settings = options.batch, architecture.settings
    if batch is not None and not _is_count(batch):
        raise UsageError(BAD_ARGUMENT.at(None, f"`batch` is a number of samples, at least 1, not {batch!r}"))
    if options.memory_budget is None:
        if batch is None:
            return options
        message = "a batch was given without a memory budget; plans hold for every batch, so nothing depends on it"
        raise UsageError(BUDGET.at(None, message, help="give a memory budget too, or leave the batch out"))
    if optimize == 0:
        message = "there is no memory budget at -O0, where every value is kept as in the lesson"
        raise UsageError(BUDGET.at(None, message, help="use -O1 or -O2"))
    if batch is None and "batch" in settings.places:
        batch = settings.batch
    if batch is None:
        message = "a memory budget is for a batch of so many samples, and nobody said how many"
        advice = "give it: --batch 64, batch=64 in Python, or `batch 64` in the program's train settings"
        raise UsageError(BUDGET.at(None, message, help=advice))
    return replace(options, batch=batch)


def item_bytes(dtype: str) -> int:
    """Bytes of one number of a dtype."""
    sizes = {"float32": ITEM_BYTES, "float64": 2 * ITEM_BYTES}
    if dtype not in sizes:
        message = f"`dtype` is float32 or float64, not {dtype!r}"
        raise UsageError(BAD_ARGUMENT.at(None, message, help="float32 is the default"))
    return sizes[dtype]
