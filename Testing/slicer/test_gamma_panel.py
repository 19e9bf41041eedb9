"""The panel's .ui without Slicer: it loads in Qt, its names fit the code, it renders."""

import ast
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

MODULE = Path(__file__).parents[2] / "GammaModule"
UI = MODULE / "Resources" / "UI" / "GammaModule.ui"
CODE = (MODULE / "GammaModule.py").read_text(encoding="utf-8")

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


@pytest.fixture(scope="module")
def tree():
    return ElementTree.parse(UI).getroot()


def parameters():
    """Names of the parameter node's fields."""
    tree = ast.parse((MODULE / "GammaModuleLib" / "panel" / "parameters.py").read_text(encoding="utf-8"))
    node = next(n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and n.name.endswith("ParameterNode"))
    return {field.target.id for field in node.body if isinstance(field, ast.AnnAssign)}


def test_every_widget_that_the_code_uses_is_in_the_panel(tree):
    used = set(re.findall(r"\bui\.(\w+)", CODE))
    names = {widget.get("name") for widget in tree.iter("widget")}
    assert len(used) > 10
    assert used <= names


def test_every_parameter_name_is_a_parameter(tree):
    named = {p.findtext("string") for p in tree.iter("property") if p.get("name") == "SlicerParameterName"}
    by_hand = {"segmentation", "segmentID"}  # the segment selector has no connection of its own
    assert named == parameters() - by_hand


def test_every_node_widget_follows_the_scene(tree):
    following = {c.findtext("receiver") for c in tree.iter("connection") if "mrmlSceneChanged" in c.findtext("signal")}
    assert following == {w.get("name") for w in tree.iter("widget") if w.get("class").startswith("qMRML")} - {
        "GammaModule"
    }


def test_every_input_has_a_tool_tip(tree):
    inputs = ("qMRMLNodeComboBox", "qMRMLSegmentSelectorWidget", "QDoubleSpinBox", "QComboBox", "QCheckBox")
    for widget in tree.iter("widget"):
        if widget.get("class") in inputs:
            assert [p for p in widget.findall("property") if p.get("name") == "toolTip"], widget.get("name")


def test_the_panel_renders():
    pytest.importorskip("PySide6")
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(
        [sys.executable, "-c", RENDER, str(UI)], capture_output=True, text=True, env=environment, check=False
    )
    if "cannot open shared object file" in done.stderr:
        pytest.skip(f"Qt cannot start: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    widgets, colours = map(int, done.stdout.split())
    assert widgets > 40
    assert colours > 10
