"""The architecture's rules, read off the syntax trees: what may import what, sizes, types, docstrings, names."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = {
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__"): path
    for path in sorted((ROOT / "seqrec").rglob("*.py"))
}
MODULES = [name for name in FILES if name != "seqrec"]
LAYERS = {"functional": 0, "data": 0, "nn": 0, "backbones": 1, "metrics": 2, "checkpoint": 2, "methods": 3, "tasks": 4}
SHARED = {
    "methods": {
        "base",
        "adversarial",
        "backbones",
        "contrasts",
        "generator_discriminator",
        "layout",
        "pair_contrast",
        "view_contrast",
    },
    "backbones": {"base"},
}
MAX_FILE, MAX_FUNCTION = 300, 60

Function = ast.FunctionDef | ast.AsyncFunctionDef


def tree(name: str) -> ast.Module:
    return ast.parse(FILES[name].read_text())


def imports(name: str) -> set[str]:
    """Dotted names that a module imports, with ``from x import y`` as ``x.y``."""
    found: set[str] = set()
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}:{node.lineno}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def layer(name: str) -> str:
    return name.split(".")[1] if name.startswith("seqrec.") else ""


def functions(node: ast.AST, inside: str = "") -> Iterator[tuple[str, Function, bool]]:
    """Functions and methods with their dotted name; the last is true for what lies within a function."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            yield f"{inside}{child.name}", child, False
            yield from ((n, f, True) for n, f, _ in functions(child, f"{inside}{child.name}."))
        elif isinstance(child, ast.ClassDef):
            yield from functions(child, f"{inside}{child.name}.")
        else:
            yield from functions(child, inside)


def is_public(dotted: str) -> bool:
    return not any(part.startswith("_") for part in dotted.split("."))


@pytest.mark.parametrize("name", MODULES)
def test_imports_follow_the_layers(name: str) -> None:
    own = layer(name)
    assert own in LAYERS, f"{name} belongs to no layer"
    for imported in imports(name):
        other = layer(imported)
        if other not in LAYERS or other == own:  # a plain name such as __version__
            continue
        assert LAYERS[other] < LAYERS[own], f"{name} imports {imported}: {own} stands below or beside {other}"


@pytest.mark.parametrize("name", [n for n in MODULES if layer(n) in SHARED])
def test_no_method_or_backbone_imports_another(name: str) -> None:
    own = layer(name)
    for imported in imports(name):
        parts = imported.split(".")
        if parts[:2] == ["seqrec", own] and len(parts) > 2 and f"seqrec.{own}.{parts[2]}" != name:
            assert parts[2] in SHARED[own], f"{name} imports {imported}"


@pytest.mark.parametrize("name", MODULES)
def test_frameworks_stay_in_their_layers(name: str) -> None:
    packages = {imported.split(".")[0] for imported in imports(name)}
    own = layer(name)
    if own != "tasks":
        assert not packages & {"hydra", "omegaconf", "wandb"}, "only tasks know the configuration and the tracker"
    if own not in ("tasks", "methods", "data"):
        assert not packages & {"pytorch_lightning", "lightning"}, "this layer is plain torch"
    if own == "data" and "pytorch_lightning" in packages:
        classes = [n for n in ast.walk(tree(name)) if isinstance(n, ast.ClassDef)]
        bases = {ast.unparse(base) for c in classes for base in c.bases}
        assert bases & {"LightningDataModule", "SequenceDataModule"}, "only data modules are Lightning's"
    if own not in ("metrics", "tasks"):
        assert "torchmetrics" not in packages


@pytest.mark.parametrize("name", list(FILES))
def test_files_and_functions_are_short(name: str) -> None:
    lines = len(FILES[name].read_text().splitlines())
    assert lines <= MAX_FILE, f"{lines} lines: which second idea is in here?"
    for dotted, node, _ in functions(tree(name)):
        size = (node.end_lineno or node.lineno) - node.lineno + 1
        assert size <= MAX_FUNCTION, f"{dotted} has {size} lines"


@pytest.mark.parametrize("name", list(FILES))
def test_every_argument_is_typed(name: str) -> None:
    for dotted, node, _ in functions(tree(name)):
        arguments = node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        bare = [a.arg for a in every if a is not None and a.annotation is None and a.arg not in ("self", "cls")]
        assert not bare, f"{dotted}: {', '.join(bare)} without a type"
        assert node.returns is not None, f"{dotted} has no return type"


@pytest.mark.parametrize("name", list(FILES))
def test_public_names_have_docstrings(name: str) -> None:
    """Exempt: private and nested functions, dunders, ``forward``, and hooks that a ``final`` base has settled."""
    module = tree(name)
    assert ast.get_docstring(module), "the module says nothing about itself"
    for node in ast.walk(module):
        if isinstance(node, ast.ClassDef) and is_public(node.name):
            assert ast.get_docstring(node), f"class {node.name}"
    for dotted, node, nested in functions(module):
        settled = {ast.unparse(d) for d in node.decorator_list} & {"final", "override"}
        if is_public(dotted) and not nested and node.name != "forward" and not settled:
            assert ast.get_docstring(node), f"{dotted} has no docstring"


def test_no_module_is_a_drawer() -> None:
    drawers = {"utils", "util", "helpers", "helper", "common", "misc"}
    assert not [name for name in FILES if drawers & set(name.split("."))]


def test_main_is_short_and_knows_tasks_only() -> None:
    text = (ROOT / "main.py").read_text()
    assert len(text.splitlines()) < 40
    found = {n.module for n in ast.walk(ast.parse(text)) if isinstance(n, ast.ImportFrom)}
    assert {m for m in found if m and m.startswith("seqrec")} == {"seqrec.cli.main"}


@pytest.mark.parametrize("name", list(FILES))
def test_no_bare_except(name: str) -> None:
    for node in ast.walk(tree(name)):
        assert not (isinstance(node, ast.ExceptHandler) and node.type is None), f"bare except in line {node.lineno}"
