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


def imported_roots(file: Path, *, at_import_time: bool) -> set[str]:
    """Top-level names a file imports; with ``at_import_time`` only those outside functions."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    nodes = list(ast.walk(tree))
    if at_import_time:
        inside = {id(n) for f in nodes if isinstance(f, ast.FunctionDef) for n in ast.walk(f)}
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


@pytest.mark.parametrize("package", PACKAGES, ids=lambda p: p.name)
def test_torch_is_imported_only_inside_functions(package):
    for file in package.rglob("*.py"):
        assert "torch" not in imported_roots(file, at_import_time=True), file


def test_module_libraries_do_not_import_qt_outside_panel_folders():
    for file in ROOT.glob("*/*Lib/**/*.py"):
        if "panel" not in file.parts:
            assert not {"qt", "ctk"} & imported_roots(file, at_import_time=False), file
