"""Imports go one way: intrepid_rt <- gamma, dvh, epid <- cohort <- cli; none of these imports slicer, qt or a *Lib."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ALLOWED = {
    "intrepid_rt": set(),
    "intrepid_gamma": {"intrepid_rt"},
    "intrepid_dvh": {"intrepid_rt"},
    "intrepid_epid": {"intrepid_rt"},
    "intrepid_cohort": {"intrepid_rt", "intrepid_gamma", "intrepid_dvh", "intrepid_epid"},
    "intrepid_cli": {"intrepid_rt", "intrepid_gamma", "intrepid_dvh", "intrepid_epid", "intrepid_cohort"},
}
PACKAGES = sorted(path for path in ROOT.glob("*/intrepid_*") if path.is_dir())


def not_at_import_time(tree: ast.Module) -> set[int]:
    """Nodes inside functions, or for type checkers only."""
    late = [
        n
        for n in ast.walk(tree)
        if isinstance(n, ast.FunctionDef) or (isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING")
    ]
    return {id(n) for one in late for n in ast.walk(one)}


def imported_roots(file: Path, *, at_import_time: bool) -> set[str]:
    """Top-level names a file imports; with ``at_import_time`` only those outside functions."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    nodes = list(ast.walk(tree))
    if at_import_time:
        inside = not_at_import_time(tree)
        nodes = [n for n in nodes if id(n) not in inside]
    names = {a.name for n in nodes if isinstance(n, ast.Import) for a in n.names}
    names |= {n.module or "" for n in nodes if isinstance(n, ast.ImportFrom) and n.level == 0}
    return {name.split(".")[0] for name in names}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda p: p.name)
def test_packages_import_only_what_lies_below(package):
    for file in package.rglob("*.py"):
        ours = {n for n in imported_roots(file, at_import_time=False) if n.startswith("intrepid_")} - {package.name}
        assert ours <= ALLOWED[package.name], f"{file} imports {ours - ALLOWED[package.name]}"


@pytest.mark.parametrize("package", PACKAGES, ids=lambda p: p.name)
def test_pure_packages_know_neither_slicer_nor_qt(package):
    for file in package.rglob("*.py"):
        roots = imported_roots(file, at_import_time=package.name == "intrepid_cli")
        forbidden = {n for n in roots if n in {"slicer", "vtk", "qt", "ctk", "PySide6"} or n.endswith("Lib")}
        assert not forbidden, f"{file} imports {forbidden}"


# Classes of networks need torch where they are defined; these files are imported inside functions only.
ARCHITECTURE = "intrepid_epid.networks.architecture"


@pytest.mark.parametrize("package", PACKAGES, ids=lambda p: p.name)
def test_torch_is_imported_only_inside_functions(package):
    for file in package.rglob("*.py"):
        if file.parent.name == "architecture" and file.parent.parent.name == "networks":
            continue
        assert "torch" not in imported_roots(file, at_import_time=True), file
        assert ARCHITECTURE not in imported_modules_at_import_time(file), file


def imported_modules_at_import_time(file: Path) -> set[str]:
    """Dotted names, cut to the length of the architecture's, of what a file imports outside functions."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    inside = not_at_import_time(tree)
    names = [n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module and id(n) not in inside]
    return {".".join(name.split(".")[:3]) for name in names}


def test_module_libraries_do_not_import_qt_outside_panel_folders():
    for file in ROOT.glob("*/*Lib/**/*.py"):
        if "panel" not in file.parts:
            assert not {"qt", "ctk"} & imported_roots(file, at_import_time=False), file
