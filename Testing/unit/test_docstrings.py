"""Docstrings where the linter does not look: closures and private classes; and the errors that a caller must expect."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from intrepid_rt import errors

ROOT = Path(__file__).parents[2]
PACKAGES = ("SlicerInTrEPID/intrepid_rt", "GammaModule/intrepid_gamma", "DVHMetricsModule/intrepid_dvh",
            "DVHMetricsModule/intrepid_cohort")  # fmt: skip
OURS = {name for name in vars(errors) if name[0].isupper()} | {"MissingValue", "PeerFailure", "ConnectionLost"}


def functions(node: ast.AST, *names: str) -> Iterator[tuple[tuple[str, ...], ast.FunctionDef]]:
    """Functions and methods with the names of what they stand in."""
    for child in ast.iter_child_nodes(node):
        own = (*names, child.name) if isinstance(child, ast.FunctionDef | ast.ClassDef) else names
        if isinstance(child, ast.FunctionDef):
            yield own, child
        yield from functions(child, *own)


def raised(function: ast.FunctionDef) -> set[str]:
    """Our errors that a function raises itself, other than in functions within it."""
    found, todo = set(), [*function.body]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda):
            continue
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name):
            found.add(node.exc.func.id)
        todo += ast.iter_child_nodes(node)
    return found & OURS


@pytest.fixture(params=PACKAGES)
def documented(request):
    """Place, names, docstring and errors of each function of a package."""
    files = [file for file in (ROOT / request.param).rglob("*.py") if "migrations" not in file.parts]
    return [
        (f"{file.relative_to(ROOT)}:{function.lineno} {names[-1]}", names, ast.get_docstring(function) or "",
         raised(function))
        for file in files
        for names, function in functions(ast.parse(file.read_text(encoding="utf-8")))
    ]  # fmt: skip


def test_what_has_no_underscore_has_a_docstring(documented):
    assert len(documented) > 20
    assert [place for place, names, text, _ in documented if not names[-1].startswith("_") and not text] == []


def test_errors_of_public_functions_are_named(documented):
    public = [entry for entry in documented if not any(name.startswith("_") for name in entry[1])]
    unnamed = [(place, found) for place, _, text, all_found in public for found in all_found if found not in text]
    assert unnamed == []
