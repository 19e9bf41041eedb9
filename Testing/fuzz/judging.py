"""Whether a case ended as it must: success or one line, nothing half written, no other number without a word."""

import json
import math
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pydicom
import SimpleITK as sitk  # noqa: N813 - the name its documentation uses

from fuzz.actions import Outcome
from fuzz.corpus import SECRET

MOST_MEMORY_MB = 2000
MOST_GY = 1000.0
# Damage that a reader can notice: what it does not refuse must give the same numbers, or be spoken of. Other damage
# (a turned bit in a pixel or digit) makes a valid file that means something else.
NOTICEABLE = frozenset(
    ("truncate", "empty", "remove", "empty_value", "wrong_vm", "copy_beside", "charset", "duplicate_uid",
     "deep_nesting", "deeper_nesting", "symbolic_link", "becomes_pipe")
)  # fmt: skip
CUTTING = frozenset(("truncate", "empty"))
_SPOKEN = ("warning", "reason", "problem", "left_out", "flagged", "unused", "failures", "findings", "note")
_UNIMPORTANT = ("seconds", "sha256", "size", "bytes", "identifiers_searched")
_PROGRESS = re.compile(r"\d+%\||\[\d+:\d\d[,<]")


def problem_of(outcome: Outcome, place: Path, peak_mb: float) -> str:
    """Say what is wrong with an outcome whatever the damage was; empty if nothing is."""
    lines = [line for line in outcome.err.splitlines() if line.strip() and not _PROGRESS.search(line)]
    if outcome.code not in (0, 1, 2):
        return f"exit code {outcome.code}: {' '.join(lines[-1:])}"
    if "Traceback" in outcome.err:
        return "a traceback"
    if outcome.code == 2 and len(lines) != 1:
        return f"{len(lines)} lines of error"
    if SECRET.split("^")[1] in outcome.err + outcome.out:
        return "the patient's name was printed"
    if outcome.leaked:
        return f"a warning leaked: {outcome.leaked}"
    if peak_mb > MOST_MEMORY_MB:
        return f"{peak_mb:.0f} MB of memory"
    return _absurd(outcome) or _half_written(outcome, place)


def unspoken_change(outcome: Outcome, sound: Outcome) -> str:
    """Say whether numbers differ from those of the undamaged file although nothing new was said about it."""
    if outcome.code != 0 or sound.code != 0:
        return ""
    damaged, undamaged = json.loads(outcome.out), json.loads(sound.out)
    before, now = dict(_numbers(undamaged)), dict(_numbers(damaged))
    changed = sorted(key for key in {*before, *now} if before.get(key) != now.get(key))
    if not changed or set(_spoken(damaged)) - set(_spoken(undamaged)):
        return ""
    return f"another number without a word: {changed[0]} was {before.get(changed[0])}, is {now.get(changed[0])}"


def _absurd(outcome: Outcome) -> str:
    if outcome.code not in (0, 1) or not outcome.out:
        return ""
    result = json.loads(outcome.out, parse_constant=lambda text: (_ for _ in ()).throw(ValueError(text)))
    for key, value in _numbers(result):
        name = key.rsplit("/", 1)[-1]
        if not math.isfinite(value):
            return f"{key} is {value}"
        if name.endswith("_gy") and not -MOST_GY < value < MOST_GY and not list(_spoken(result)):
            return f"{key} is {value} without a word"
        if name.endswith("pass_rate_percent") and not 0 <= value <= 100:
            return f"{key} is {value}"
    return ""


def _half_written(outcome: Outcome, place: Path) -> str:
    left = [path.name for path in place.rglob(".*") if path.name.startswith((".unfinished", ".results"))]
    out = place / "out"
    if left:
        return f"left behind: {left}"
    if outcome.code == 2 and out.exists():
        return f"an output of a refused input: {[path.name for path in out.rglob('*')]}"
    for path in out.rglob("*.dcm"):
        pydicom.dcmread(path).walk(lambda _dataset, element: element.value)
    for path in out.rglob("*.nrrd"):
        sitk.ReadImage(str(path))
    for database in place.rglob("*.db"):
        with sqlite3.connect(database) as connection:
            (found,) = connection.execute("pragma integrity_check").fetchone()
        if found != "ok":
            return f"database: {found}"
    return ""


def _numbers(tree: object, key: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(tree, bool):
        return
    if isinstance(tree, int | float) and not any(word in key for word in _UNIMPORTANT):
        yield key, float(tree)
    for name, value in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        yield from _numbers(value, f"{key}/{name}")


def _spoken(tree: object, key: str = "") -> Iterator[str]:
    if isinstance(tree, str) and tree and any(word in key for word in _SPOKEN):
        yield tree
    for name, value in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        yield from _spoken(value, f"{key}/{name}")
