"""`import`: what a file brings in, where it may lie, and how mistakes in imported files are told."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

import dnnlang
from dnnlang.diagnostics import Diagnostic
from tests.graph.programs import mistake

BLOCKS = """\
define activation soft(z; b=1) = log(1 + exp(b * z))
param width = 8
block residual(k; g=relu) from x {
    layer k g
    layer k
    add from x, _
}
"""
PROGRAM = 'import "blocks.dnn"\ninput 3\nlayer width\nrepeat 2 { residual width g=soft(2) }\nlayer 1 sigmoid\n'


def write(folder: Path, **files: str) -> Path:
    """Files by name, `sub__blocks` for sub/blocks.dnn; the path of main.dnn."""
    for name, text in files.items():
        path = folder.joinpath(*name.split("__")).with_suffix(".dnn")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder / "main.dnn"


def compiled(path: Path) -> dnnlang.Program:
    return dnnlang.compile_file(path)


def wrong(path: Path) -> list[Diagnostic]:
    with pytest.raises(dnnlang.CompileError) as caught:
        dnnlang.compile_file(path)
    return list(caught.value.diagnostics)


def test_definitions_blocks_and_params_come_in(tmp_path: Path) -> None:
    program = compiled(write(tmp_path, main=PROGRAM, blocks=BLOCKS))
    assert program.parameters["W[4]"] == (8, 8)
    assert "soft(2)" in str(program)
    assert dnnlang.compile_file(tmp_path / "main.dnn", params={"width": 5}).parameters["W[1]"] == (5, 3)


def test_the_sources_are_kept(tmp_path: Path) -> None:
    architecture = compiled(write(tmp_path, main=PROGRAM, blocks=BLOCKS)).architecture
    assert [source.text for source in architecture.sources] == [PROGRAM, BLOCKS]
    assert [source.name for source in architecture.sources] == [
        str(tmp_path / "main.dnn"),
        str(tmp_path / "blocks.dnn"),
    ]
    assert list(architecture.imports) == ["blocks.dnn"]


def test_text_is_compiled_with_a_folder(tmp_path: Path) -> None:
    write(tmp_path, blocks=BLOCKS)
    assert len(dnnlang.compile(PROGRAM, base=tmp_path).parameters) == 12
    found = mistake(PROGRAM)
    assert found.code == "DNN021"
    assert found.help is not None
    assert "base=FOLDER" in found.help


def test_an_import_may_stand_anywhere_at_the_top(tmp_path: Path) -> None:
    moved = "\n".join(reversed(PROGRAM.splitlines()[:2])) + "\n" + "\n".join(PROGRAM.splitlines()[2:])
    assert len(compiled(write(tmp_path, main=moved, blocks=BLOCKS)).parameters) == 12


def test_imported_files_import_from_their_own_folder(tmp_path: Path) -> None:
    path = write(
        tmp_path, main='import "parts/a.dnn"\nlayer w', parts__a='import "deep/b.dnn"', parts__deep__b="param w = 4"
    )
    program = compiled(path)
    assert program.parameters["W[1]"][0] == 4
    assert list(program.architecture.imports) == ["parts/a.dnn", "parts/deep/b.dnn"]


def test_a_file_imported_twice_counts_once(tmp_path: Path) -> None:
    main = 'import "a.dnn"\nimport "b.dnn"\nimport "./parts/../a.dnn"\nlayer w'
    path = write(tmp_path, main=main, a="param w = 4", b='import "a.dnn"')
    (tmp_path / "parts").mkdir()
    assert compiled(path).parameters["W[1]"][0] == 4
    os.symlink(tmp_path / "a.dnn", tmp_path / "again.dnn")
    path.write_text(main + '\nimport "again.dnn"')
    program = compiled(path)
    assert len(program.architecture.sources) == 3
    assert list(program.architecture.imports) == ["a.dnn", "b.dnn", "again.dnn"]


def test_many_files_in_a_chain(tmp_path: Path) -> None:
    files = {f"f{i}": f'import "f{i + 1}.dnn"' for i in range(1_500)}
    assert compiled(write(tmp_path, main='import "f0.dnn"\nlayer w', **files, f1500="param w = 4")).parameters


# ---------------------------------------------------------------- models


def test_a_model_carries_its_imports(tmp_path: Path) -> None:
    folder, model = tmp_path / "program", tmp_path / "m.safetensors"
    folder.mkdir()
    os.makedirs(folder / "parts")
    files = {"main": PROGRAM.replace("blocks.dnn", "parts/blocks.dnn"), "parts__real": BLOCKS}
    path = write(folder, **files)
    os.symlink("real.dnn", folder / "parts" / "blocks.dnn")
    path.write_text(path.read_text() + 'import "parts/real.dnn"\n')  # the same file by another path
    network = compiled(path).load(seed=1)
    network.save(model)
    shutil.rmtree(folder)
    again = dnnlang.load(model)
    assert again.program.parameters == network.program.parameters
    assert list(again.program.architecture.imports) == ["parts/blocks.dnn", "parts/real.dnn"]


def test_open_sizes_are_bound_without_reading_files_again(tmp_path: Path) -> None:
    program = compiled(write(tmp_path, main=PROGRAM.replace("input 3\n", ""), blocks=BLOCKS))
    (tmp_path / "blocks.dnn").unlink()
    assert program.load(sizes={"n[0]": 3}).parameters["W[1]"].shape == (8, 3)


# ---------------------------------------------------------------- where files may lie


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("../blocks.dnn", "DNN022"),
        ("parts/../../blocks.dnn", "DNN022"),
        ("..", "DNN022"),
        ("/etc/hosts", "DNN022"),
        ("C:/blocks.dnn", "DNN022"),
        ("link.dnn", "DNN022"),
        ("away/blocks.dnn", "DNN022"),
        ("loop.dnn", "DNN021"),
        ("parts\\blocks.dnn", "DNN021"),
        ("", "DNN021"),
        ("  ", "DNN021"),
        (".", "DNN021"),
        ("pipe.dnn", "DNN021"),
        ("missing.dnn", "DNN021"),
        ("nowhere/blocks.dnn", "DNN021"),
        ("main.dnn/blocks.dnn", "DNN021"),
        ("~/blocks.dnn", "DNN021"),
        ("broken.dnn", "DNN001"),
        ("main.dnn", "DNN023"),
        ("./main.dnn", "DNN023"),
    ],
)
def test_what_cannot_be_imported(path: str, code: str, tmp_path: Path) -> None:
    folder = tmp_path / "here"
    write(tmp_path, blocks=BLOCKS, here__main=f'import "{path}"\nlayer 3', away__blocks=BLOCKS)
    (folder / "parts").mkdir()
    os.symlink(tmp_path / "blocks.dnn", folder / "link.dnn")
    os.symlink(tmp_path / "away", folder / "away")
    os.symlink("loop.dnn", folder / "loop.dnn")
    os.mkfifo(folder / "pipe.dnn")
    (folder / "broken.dnn").write_bytes(b"\xff\xfe\x00")
    found = wrong(folder / "main.dnn")
    assert [d.code for d in found] == [code]
    place = found[0].span if code != "DNN001" else found[0].labels[-1].span
    assert place is not None
    assert place.text == f'"{path}"'


def test_a_folder_that_is_a_link_itself_is_fine(tmp_path: Path) -> None:
    write(tmp_path / "real", main=PROGRAM, blocks=BLOCKS)
    os.symlink(tmp_path / "real", tmp_path / "link")
    assert len(compiled(tmp_path / "link" / "main.dnn").parameters) == 12


def test_a_link_within_the_folder_is_followed(tmp_path: Path) -> None:
    path = write(tmp_path, main=PROGRAM, parts__real=BLOCKS)
    os.symlink("parts/real.dnn", tmp_path / "blocks.dnn")
    assert len(compiled(path).parameters) == 12


def test_a_deeper_file_cannot_reach_back(tmp_path: Path) -> None:
    path = write(tmp_path, main='import "parts/a.dnn"\nlayer 3', parts__a='import "../blocks.dnn"', blocks=BLOCKS)
    assert [d.code for d in wrong(path)] == ["DNN022"]
    os.symlink(tmp_path / "blocks.dnn", tmp_path / "parts" / "link.dnn")
    (tmp_path / "parts" / "a.dnn").write_text('import "link.dnn"')
    assert [d.code for d in wrong(path)] == ["DNN022"]


def test_loops_are_told_with_every_step(tmp_path: Path) -> None:
    path = write(tmp_path, main='import "a.dnn"\nlayer 3', a='import "b.dnn"', b='import "c.dnn"', c='import "a.dnn"')
    (found,) = wrong(path)
    assert found.code == "DNN023"
    assert "a.dnn → b.dnn → c.dnn → a.dnn" in found.message
    assert [label.message for label in found.labels] == [
        "a.dnn imports b.dnn",
        "b.dnn imports c.dnn",
        "c.dnn imports a.dnn",
    ]


def test_a_misspelt_path_is_answered_with_the_nearest(tmp_path: Path) -> None:
    path = write(tmp_path, main='import "block.dnn"\nresidual 5\nlayer w', blocks=BLOCKS)
    (found,) = wrong(path)  # and nothing about names that the file would have
    assert found.help == "did you mean `blocks.dnn`?"


# ---------------------------------------------------------------- what files may hold


@pytest.mark.parametrize(
    "text",
    [
        "layer 3",
        "input 3",
        "dim d",
        "expect n[1] == 3",
        "loss mse",
        "train { batch 3 }",
        "output _",
        "repeat 2 { layer 3 }",
    ],
)
def test_other_statements_are_refused(text: str, tmp_path: Path) -> None:
    path = write(tmp_path, main='import "a.dnn"\nlayer 3 relu\nlayer 1', a=f"param w = 3\n{text}\n{text}")
    (found,) = wrong(path)
    assert found.code == "DNN024"
    assert found.span is not None
    assert (found.span.source.name, found.span.line) == (str(tmp_path / "a.dnn"), 2)
    assert [label.span.text for label in found.labels] == ['"a.dnn"']
    assert found.notes == ("and so does another statement of the file",)


def test_mistakes_in_imported_files_are_told_there(tmp_path: Path) -> None:
    path = write(tmp_path, main='import "a.dnn"\nlayer 3 steep', a="define activation steep(z) = k * z\nparam (3")
    found = wrong(path)
    assert {d.code for d in found} >= {"DNN410"}
    assert {d.span.source.name for d in found if d.span is not None} == {str(tmp_path / "a.dnn")}


def test_names_of_several_files_do_not_mix(tmp_path: Path) -> None:
    path = write(tmp_path, main='import "a.dnn"\nparam w = 3\nlayer w', a="\nparam w = 4")
    (found,) = wrong(path)
    assert found.code == "DNN101"
    assert [label.message for label in found.labels] == [f"`w` first stands here, on line 2 of {tmp_path / 'a.dnn'}"]


def test_a_mistake_in_an_imported_block_names_both_files(tmp_path: Path) -> None:
    path = write(tmp_path, main=PROGRAM.replace("residual width", "residual 9"), blocks=BLOCKS)
    (found,) = wrong(path)
    assert found.code == "DNN203"
    assert found.span is not None
    assert (found.span.source.name, found.span.line) == (str(tmp_path / "blocks.dnn"), 6)
    assert [(Path(label.span.source.name).name, label.span.line) for label in found.labels] == [
        ("blocks.dnn", 6),
        ("blocks.dnn", 6),
        ("main.dnn", 4),
        ("main.dnn", 4),
    ]
