"""The sources of the packages: nothing that turns data into code."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SOURCES = sorted(
    path for module in ("SlicerInTrEPID", "GammaModule", "DVHMetricsModule") for path in (ROOT / module).rglob("*.py")
)
FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "joblib", "marshal", "shelve", "yaml", "telnetlib"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "os.system", "os.popen", "tempfile.mktemp", "torch.load", "np.loads"}


def violations(tree: ast.AST) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            found += [name for name in names if name.split(".")[0] in FORBIDDEN_MODULES]
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            found += [called] if called in FORBIDDEN_CALLS else []
            switched_on = {word.arg for word in node.keywords if ast.unparse(word.value) == "True"}
            found += [f"{called}({word}=True)" for word in switched_on & {"shell", "allow_pickle"}]
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_runs_code_from_data(path):
    assert violations(ast.parse(path.read_text(encoding="utf-8"))) == []


def test_the_search_finds_what_it_must():
    bad = (
        "import pickle\nfrom yaml import load\neval('1')\nsubprocess.run(c, shell=True)\nnp.load(f, allow_pickle=True)"
    )
    assert len(violations(ast.parse(bad))) == 5
