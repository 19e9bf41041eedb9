"""``intrepid verify``: whether a report still belongs to its numbers, files and inputs."""

from dataclasses import asdict
from pathlib import Path

import click

from intrepid_cli.console import CHECK_FAILED, DONE, json_option, report

_PATH = click.Path(path_type=Path)


@click.command("verify")
@click.argument("report_path", metavar="REPORT", type=_PATH)
@click.option("--study", type=_PATH, help="Folder of the inputs; default: the one that the report names.")
@json_option
def command(report_path: Path, study: Path | None, as_json: bool) -> int:
    """Recompute the hashes of REPORT (report.html, results.json or their folder) and compare them.

    Exit code 1: something was changed or is missing. What could not be compared, because the inputs are elsewhere, is
    said and does not count as a failure.
    """
    from intrepid_cli.verification.seal import check_seal

    findings = check_seal(report_path, study)
    wrong = [finding for finding in findings if finding.state in ("changed", "missing")]
    unchecked = [finding for finding in findings if finding.state == "not checked"]
    lines = [f"{finding.state.upper()}: {finding.what}" for finding in wrong]
    lines += [f"Not checked: {finding.what}: {finding.reason}" for finding in unchecked]
    same = len(findings) - len(wrong) - len(unchecked)
    verdict = "The report is NOT what was written." if wrong else "Nothing was changed."
    lines.append(f"{verdict} {same} of {len(findings)} parts are the same.")
    result = {"unchanged": not wrong, "findings": [asdict(finding) for finding in findings]}
    report(result, "\n".join(lines), as_json=as_json)
    return CHECK_FAILED if wrong else DONE
