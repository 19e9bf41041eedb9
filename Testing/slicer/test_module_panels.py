"""The forms of the Gamma and the DVH module without Slicer: they load in Qt, their names fit the code, they render."""

import ast
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHARED = ROOT / "SlicerInTrEPID" / "SlicerInTrEPIDLib" / "panel" / "interruptible.py"
# Per module: the file that uses the form, and the parameters that no widget can follow by itself.
MODULES = {
    "GammaModule": ("GammaModule.py", {"segmentation", "segmentID"}),  # a segment selector connects to no parameter
    "DVHMetricsModule": ("DVHMetricsModuleLib/panel/patient_tab.py", {"skippedSegmentIDs", "metricsTable"}),
}

# In a process of its own: a Qt application cannot be undone, and without a graphics library it ends the process.
RENDER = """
import sys
from PySide6.QtCore import QFile
from PySide6.QtGui import QColor
from PySide6.QtUiTools import QUiLoader
from PySide6.QtWidgets import QApplication, QTableView, QWidget

class Loader(QUiLoader):
    def createWidget(self, name, parent=None, object_name=""):
        if name.startswith(("qMRML", "ctk")):
            made = QTableView(parent) if name == "qMRMLTableView" else QWidget(parent)
            made.setObjectName(object_name)
            return made
        return super().createWidget(name, parent, object_name)

app = QApplication([])
file = QFile(sys.argv[1])
file.open(QFile.ReadOnly)
panel = Loader().load(file)
panel.resize(440, 760)
image = panel.grab().toImage()
colours = {image.pixelColor(x, y).name() for x in range(0, image.width(), 2) for y in range(0, image.height(), 2)}
print(len(panel.findChildren(QWidget)), len(colours))
"""


# Not "module": the wheel takes this folder, whose name is "slicer", for a part of itself, and reads its names into a
# loop over a variable of that name.
@pytest.fixture(scope="module", params=MODULES)
def module_name(request):
    return request.param


def form(module: str) -> Path:
    return ROOT / module / "Resources" / "UI" / f"{module}.ui"


@pytest.fixture
def tree(module_name):
    return ElementTree.parse(form(module_name)).getroot()


def parameters(module: str) -> set[str]:
    """Names of the parameter node's fields."""
    file = ROOT / module / f"{module}Lib" / "panel" / "parameters.py"
    tree = ast.parse(file.read_text(encoding="utf-8"))
    node = next(n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and n.name.endswith("ParameterNode"))
    return {field.target.id for field in node.body if isinstance(field, ast.AnnAssign)}


def test_every_widget_that_the_code_uses_is_in_the_panel(module_name, tree):
    code = "".join(file.read_text(encoding="utf-8") for file in (ROOT / module_name / MODULES[module_name][0], SHARED))
    used = set(re.findall(r"\bui\.(\w+)", code))
    names = {widget.get("name") for widget in tree.iter("widget")}
    assert len(used) > 10
    assert used <= names


def test_every_parameter_name_is_a_parameter(module_name, tree):
    named = {p.findtext("string") for p in tree.iter("property") if p.get("name") == "SlicerParameterName"}
    assert named == parameters(module_name) - MODULES[module_name][1]


def test_every_node_widget_follows_the_scene(module_name, tree):
    following = {c.findtext("receiver") for c in tree.iter("connection") if "mrmlSceneChanged" in c.findtext("signal")}
    assert following == {w.get("name") for w in tree.iter("widget") if w.get("class").startswith("qMRML")} - {
        module_name
    }


def test_every_input_has_a_tool_tip(tree):
    inputs = ("qMRMLNodeComboBox", "qMRMLSegmentSelectorWidget", "ctkPathLineEdit", "QLineEdit", "QDoubleSpinBox",
              "QSpinBox", "QComboBox", "QCheckBox")  # fmt: skip
    for widget in tree.iter("widget"):
        if widget.get("class") in inputs:
            assert [p for p in widget.findall("property") if p.get("name") == "toolTip"], widget.get("name")


def test_the_panel_renders(module_name):
    pytest.importorskip("PySide6")
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(
        [sys.executable, "-c", RENDER, str(form(module_name))],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    if "cannot open shared object file" in done.stderr:
        pytest.skip(f"Qt cannot start: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    widgets, colours = map(int, done.stdout.split())
    assert widgets > 40
    assert colours > 10
