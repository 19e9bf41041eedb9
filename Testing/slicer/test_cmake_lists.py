"""Every file of a module is listed once in its CMakeLists.txt, and the extension's own files are complete."""

import json
import re

import pytest

from cmake_lists import LISTS, MODULES, ROOT, listed, on_disk


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("name", LISTS)
def test_cmake_lists_the_files_on_disk(module, name):
    assert (ROOT / module / "CMakeLists.txt").is_file(), f"{module} has no CMakeLists.txt."
    wanted, found = on_disk(module)[name], listed(module)[name]
    missing, gone = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
    hint = "Run: python Testing/cmake_lists.py"
    assert not missing, f"{module}/CMakeLists.txt lacks {missing}. {hint}"
    assert not gone, f"{module}/CMakeLists.txt lists files that do not exist: {gone}. {hint}"
    assert len(found) == len(set(found)), f"{module}/CMakeLists.txt lists a file twice. {hint}"


@pytest.mark.parametrize("module", MODULES)
def test_each_module_is_built_and_named_after_its_folder(module):
    text = (ROOT / module / "CMakeLists.txt").read_text(encoding="utf-8")
    assert re.search(rf"set\(MODULE_NAME {module}\)", text)
    assert "slicerMacroBuildScriptedModule(" in text
    assert f"add_subdirectory({module})" in (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    assert (ROOT / module / f"{module}.py").is_file()
    if module != "DICOMPortalImagePlugin":  # hidden: it has no panel, and no icon
        assert (ROOT / module / "Resources" / "Icons" / f"{module}.png").is_file()


def test_only_modules_lie_loose_beside_a_module():
    """Slicer takes every loose Python file in the folder for a module, and one with #! for a command-line module."""
    for module in MODULES:
        assert [path.name for path in (ROOT / module).glob("*.py")] == [f"{module}.py"]
        assert not (ROOT / module / f"{module}.py").read_text(encoding="utf-8").startswith("#!")


def test_packages_of_all_modules_have_different_names():
    """An installed extension lies flat in one folder."""
    packages = [path.parent.name for module in MODULES for path in (ROOT / module).glob("*/__init__.py")]
    assert len(packages) == len(set(packages))
    assert "Resources" not in packages
    files = [path.name for module in MODULES for path in (ROOT / module / "Resources").glob("*/*.ui")]
    assert len(files) == len(set(files))


def test_extension_metadata_is_complete():
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    project = re.search(r"project\((\w+)\)", text)[1]
    for name in ("HOMEPAGE", "CONTRIBUTORS", "DESCRIPTION", "ICONURL", "SCREENSHOTURLS", "DEPENDS"):
        assert re.search(rf'set\(EXTENSION_{name} "[^"]+"\)', text), name
    pictures = re.findall(r"/main/([\w/.-]+\.png)", text)
    assert pictures
    for picture in pictures:
        assert (ROOT / picture).is_file(), picture
    entry = json.loads((ROOT / f"{project}.json").read_text(encoding="utf-8"))
    allowed = {"$schema", "category", "scm_url", "scm_revision", "scm_type", "build_dependencies", "build_subdirectory",
               "enabled", "tier"}  # fmt: skip
    assert {"$schema", "category", "scm_url"} <= set(entry) <= allowed
    assert entry["$schema"].endswith("slicer-extension-catalog-entry-schema-v1.0.1.json#")
    assert (ROOT / entry["build_subdirectory"] / "CMakeLists.txt").is_file()
