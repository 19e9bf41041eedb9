"""Compare the file lists of the modules' CMakeLists.txt with the disk, or write them anew.

Slicer installs exactly the listed files, so a forgotten one is missing in every installed extension.

Usage: python Testing/cmake_lists.py     (rewrites the lists of all modules)
"""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
MODULES = ("SlicerInTrEPID", "DICOMPortalImagePlugin", "GammaModule", "DVHMetricsModule")
LISTS = {"MODULE_PYTHON_SCRIPTS": True, "MODULE_PYTHON_RESOURCES": False}  # name: whether it holds Python files
NOT_INSTALLED = {".pyc", ".nbi", ".nbc"}


def on_disk(module: str) -> dict[str, list[str]]:
    """Return the files of a module by list name, relative to its folder."""
    folder = ROOT / module
    files = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in NOT_INSTALLED and path.name != "CMakeLists.txt"
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )  # fmt: skip
    return {name: [f for f in files if f.endswith(".py") == is_python] for name, is_python in LISTS.items()}


def listed(module: str) -> dict[str, list[str]]:
    """Return the files a module's CMakeLists.txt names, by list name."""
    text = (ROOT / module / "CMakeLists.txt").read_text(encoding="utf-8").replace("${MODULE_NAME}", module)
    return {name: _block(name, text).split() for name in LISTS}


def _block(name: str, text: str) -> str:
    found = re.search(rf"set\({name}\b([^)]*)\)", text)
    return re.sub(r"#.*", "", found[1]) if found else ""


def rewrite(module: str) -> None:
    """Write the lists of a module as they are on the disk, leaving the rest of the file alone."""
    path = ROOT / module / "CMakeLists.txt"
    text = path.read_text(encoding="utf-8")
    for name, files in on_disk(module).items():
        block = "".join(f"\n  {file}" for file in files)
        text = re.sub(rf"set\({name}\b[^)]*\)", f"set({name}{block}\n  )", text)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    for each in MODULES:
        rewrite(each)
