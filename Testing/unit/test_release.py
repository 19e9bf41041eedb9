"""What goes out with a release: the bill of materials, and the audit of what it names."""

import importlib.util
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / ".venv-tools" / "bin"

spec = importlib.util.spec_from_file_location("audit", ROOT / ".ci" / "audit.py")
audit = importlib.util.module_from_spec(spec)
spec.loader.exec_module(audit)

SOUND = {"name": "numpy", "version": "2.0", "vulns": []}
HOLED = {"name": "pydicom", "version": "3.0.1", "vulns": [{"id": "CVE-2026-32711", "fix_versions": ["3.0.2"]}]}
SILENT = {"name": "scipy", "skip_reason": "Dependency not found on PyPI and could not be audited: scipy (1.0)"}


def pinned():
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    found = (re.match(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^ ;]+)", line) for line in lines)
    return {match[1].lower().replace("_", "-"): match[2] for match in found if match}


def test_the_audit_fails_on_a_finding_and_only_then():
    code, lines = audit.verdict({"dependencies": [SOUND, HOLED, SILENT]})
    assert code == 1
    assert lines[0] == "pydicom 3.0.1: CVE-2026-32711, mended in 3.0.2"
    assert lines[1].endswith("2 packages asked about, 1 vulnerable, 1 unknown to the service.")
    assert audit.verdict({"dependencies": [SOUND]})[0] == 0


def test_a_service_that_is_not_reached_is_one_line_and_no_pass_in_silence():
    code, lines = audit.verdict({"dependencies": [SILENT, SILENT]})
    assert (code, len(lines)) == (0, 1)
    assert "not reached, 2 packages NOT audited" in lines[0]


def test_no_pinned_version_is_one_of_known_holes():
    assert tuple(map(int, pinned()["pydicom"].split("."))) >= (3, 0, 2)  # CVE-2026-32711: DICOMDIR leads outside


@pytest.mark.skipif(not (TOOLS / "cyclonedx-py").exists() or not shutil.which("make"), reason="run 'make sbom' first")
def test_the_bill_of_materials_names_every_pinned_version():
    subprocess.run(["make", "sbom"], cwd=ROOT, check=True, capture_output=True)
    (path,) = (ROOT / "dist").glob("slicer-intrepid-*.cdx.json")
    bill = json.loads(path.read_text(encoding="utf-8"))
    assert (bill["bomFormat"], bill["metadata"]["component"]["name"]) == ("CycloneDX", "slicer-intrepid")
    assert bill["metadata"]["component"]["version"] in path.name
    named = {one["name"].lower().replace("_", "-"): one["version"] for one in bill["components"]}
    assert named == pinned()
    assert all(one["purl"] == f"pkg:pypi/{one['name'].lower()}@{one['version']}" for one in bill["components"])
