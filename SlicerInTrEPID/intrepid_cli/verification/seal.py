"""The hash that ties a report to its numbers, its files and its inputs, and the check of it.

The hash tells a report that was changed or mixed up from one that was not. It is no signature: whoever changes
everything can compute it anew.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from intrepid_cli.console import plain
from intrepid_rt.dicom_file import collecting, read_dataset, text
from intrepid_rt.errors import UnreadableFile, UnusableInput
from intrepid_rt.small_files import parse_json, read_small_text

RESULTS, REPORT = "results.json", "report.html"
_IN_REPORT = re.compile(r'name="intrepid-results-sha256" content="([0-9a-f]{64})"')


class _Input(msgspec.Struct):
    role: str
    file: str
    sha256: str
    uid: str = ""


class _Settings(msgspec.Struct):
    study_dir: str | None = None
    machine: str | None = None
    constraints: str | None = None


class _Provenance(msgspec.Struct):
    settings: _Settings = msgspec.field(default_factory=_Settings)
    inputs: tuple[_Input, ...] = ()


class _Integrity(msgspec.Struct):
    results_sha256: str
    files: dict[str, str]


class _Sealed(msgspec.Struct):
    """What the check needs of results.json."""

    integrity: _Integrity
    provenance: _Provenance = msgspec.field(default_factory=_Provenance)


@dataclass(frozen=True)
class Finding:
    """One thing that was compared; ``state`` is "same", "changed", "missing" or "not checked"."""

    what: str
    state: str
    reason: str = ""


def results_sha256(results: Mapping[str, Any]) -> str:
    """Hash of all numbers and identities of a result; the integrity record itself is left out.

    >>> results_sha256({"a": 1.0}) == results_sha256({"a": 1.0, "integrity": {}})
    True
    """
    content = {key: value for key, value in plain(results).items() if key != "integrity"}
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def sealed(results: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Add the integrity record: the hash of the results and of every file beside them."""
    files = {path.name: _sha256(path) for path in sorted(folder.iterdir()) if path.is_file() and path.name != RESULTS}
    return {**results, "integrity": {"results_sha256": results_sha256(results), "files": files}}


def check_seal(report: Path, study: Path | None = None) -> list[Finding]:
    """Recompute the hashes of a report and compare.

    Parameters
    ----------
    report : Path
        report.html, results.json, or the folder of both.
    study : Path, optional
        Folder of the inputs; default: the one that the report names, if it is still there.

    Raises
    ------
    UnreadableFile
        There is no results.json, it cannot be read, or it carries no hash.
    """
    folder = report if report.is_dir() else report.parent
    results, sealed_by = _read(folder / RESULTS)
    digest, integrity = results_sha256(results), sealed_by.integrity
    findings = [Finding("results", "same" if digest == integrity.results_sha256 else "changed")]
    findings += [_compared(name, folder / name, sha256) for name, sha256 in sorted(integrity.files.items())]
    findings.append(_report_shows(folder / REPORT, digest))
    return findings + list(_inputs(sealed_by.provenance, study))


def changed_files(folder: Path) -> list[str]:
    """Names of results and files in a result folder that are not as they were written.

    Raises
    ------
    UnreadableFile
        There is no results.json, it cannot be read, or it carries no hash.
    """
    results, sealed_by = _read(folder / RESULTS)
    integrity = sealed_by.integrity
    findings = [_compared(name, folder / name, sha256) for name, sha256 in sorted(integrity.files.items())]
    own = [] if results_sha256(results) == integrity.results_sha256 else [RESULTS]
    return own + [finding.what for finding in findings if finding.state != "same"]


def _read(path: Path) -> tuple[dict[str, Any], _Sealed]:
    if not path.is_file():
        raise UnreadableFile(f"{path} is no file. Give the folder that holds report and {RESULTS}.")
    results = parse_json(read_small_text(path), str(path))
    try:
        return results, msgspec.convert(results, _Sealed)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:  # the latter: half a surrogate pair in a name
        raise UnreadableFile(
            f"{path} carries no hash of its results ({error}). Only reports with one can be verified."
        ) from error


def _compared(name: str, path: Path, expected: str) -> Finding:
    if Path(name).name != name or not path.is_file():
        return Finding(name, "missing")
    return Finding(name, "same" if _sha256(path) == expected else "changed")


def _report_shows(path: Path, digest: str) -> Finding:
    if not path.is_file():
        return Finding("hash shown in the report", "missing")
    shown = _IN_REPORT.search(path.read_text(encoding="utf-8", errors="replace"))
    return Finding("hash shown in the report", "same" if shown and shown[1] == digest else "changed")


def _inputs(provenance: _Provenance, study: Path | None) -> Iterator[Finding]:
    settings = provenance.settings
    folder = study or Path(settings.study_dir or "no study folder named")
    for entry in provenance.inputs:
        found: str | None
        what, expected = f"{entry.role} {entry.file}", entry.sha256
        if entry.role in ("machine profile", "constraints"):
            named = settings.machine if entry.role == "machine profile" else settings.constraints
            path = Path(named or entry.file)
            if not path.is_file():
                yield Finding(what, "not checked", "the file is not where the report says")
                continue
            found = _sha256(path)
        elif not folder.is_dir():
            yield Finding(what, "not checked", "the study folder is not here; give it with --study")
            continue
        elif entry.role == "CT":
            found = _series_sha256(folder, entry.uid)
        else:
            found = _best(folder, entry.file, expected)
        yield Finding(what, "missing") if found is None else Finding(what, "same" if found == expected else "changed")


def _best(folder: Path, name: str, expected: str) -> str | None:
    digests = [_sha256(path) for path in folder.rglob("*") if path.name == name and path.is_file()]
    return expected if expected in digests else next(iter(digests), None)


def _series_sha256(folder: Path, series_uid: str) -> str | None:
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and _series(path) == series_uid]
    return _sha256(*paths) if paths else None


def _series(path: Path) -> str:
    try:
        with collecting([]):
            return text(read_dataset(path, pixels=False), "SeriesInstanceUID")
    except UnusableInput:
        return ""


def _sha256(*paths: Path) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()
