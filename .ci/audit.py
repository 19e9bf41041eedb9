"""Ask the vulnerability service of the package index about every pinned package; fail on a finding, say a silence.

    audit.py PIP_AUDIT LOCK...

Exit code 1: a pinned version has a known vulnerability, 2: the audit itself did not run. A service that cannot be
reached (a site without access to the internet) is one line and no failure, so that such a site can build; a machine
with access never passes over a finding.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any


def verdict(audited: Mapping[str, Any]) -> tuple[int, list[str]]:
    """Turn pip-audit's JSON into an exit code and lines."""
    packages = audited["dependencies"]
    answered = [one for one in packages if "skip_reason" not in one]
    found = [one for one in answered if one["vulns"]]
    lines = [
        f"{one['name']} {one['version']}: {hole['id']}, mended in {', '.join(hole['fix_versions']) or 'no version yet'}"
        for one in found
        for hole in one["vulns"]
    ]
    silent = len(packages) - len(answered)
    if not answered:
        lines.append(f"Dependency audit: the vulnerability service was not reached, {silent} packages NOT audited.")
    else:
        unknown = f", {silent} unknown to the service" if silent else ""
        lines.append(f"Dependency audit: {len(answered)} packages asked about, {len(found)} vulnerable{unknown}.")
    return (1 if found else 0), lines


def main(pip_audit: str, *locks: str) -> int:
    """Audit the lock files."""
    code = 0
    for lock in locks:
        command = [pip_audit, "--requirement", lock, "--no-deps", "--disable-pip", "--format", "json"]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        try:
            found, lines = verdict(json.loads(ran.stdout))
        except (ValueError, KeyError):
            said = next(iter(reversed(ran.stderr.strip().splitlines())), "it said nothing")
            if "ServiceError" in ran.stderr or "Connection" in ran.stderr or "resolve" in ran.stderr:
                print(
                    f"{lock}: Dependency audit: the vulnerability service was not reached; NOT audited ({said[:120]})."
                )
                continue
            print(f"{lock}: the audit did not run: {said}", file=sys.stderr)
            return 2
        print("\n".join(f"{lock}: {line}" for line in lines))
        code = max(code, found)
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
