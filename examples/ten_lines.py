"""One verification: python examples/ten_lines.py STUDY_DIR PROFILE.json OUT_DIR."""

import sys
from pathlib import Path

from intrepid_cli.report import write_report
from intrepid_cli.verification import VerificationSettings, verify_study
from SlicerInTrEPIDLib.scene import write_scene

study, profile, out = map(Path, sys.argv[1:4])
result = verify_study(VerificationSettings(study_dir=study, out_dir=out, machine=profile))
write_report(result, out / "report.html")
write_scene(result, out / "scene.mrb")
print(result.verdict.status, *result.verdict.reasons, sep="\n")
