"""One verification: python examples/ten_lines.py STUDY_DIR PROFILE.json OUT_DIR."""

import sys
from pathlib import Path

from intrepid_cli.reconstruct import reconstruct
from intrepid_cli.verification import VerificationSettings

study, profile, out = map(Path, sys.argv[1:4])
result = reconstruct(VerificationSettings(study_dir=study, out_dir=out, machine=profile))
print(result.verdict.status, *result.verdict.reasons, sep="\n")
for gamma in result.gamma_3d:
    print(gamma.criteria, gamma.pass_rate_percent, gamma.reason)
print(out / "report.html")
