"""One numbered case: what is damaged, what is run on it, and whether it ended as it must."""

import random
import resource
import tempfile
from functools import cache
from pathlib import Path

from fuzz.actions import Outcome, perform
from fuzz.judging import CUTTING, NOTICEABLE, problem_of, unspoken_change
from fuzz.mutations import flip_bits
from fuzz.targets import TARGETS, Target, copy_of, files_of


def run_case(number: int, corpus: Path) -> dict[str, object]:
    """Run one case; ``problem`` is empty if it ended in success or in one line with exit code 2."""
    rng = random.Random(number)
    (target,) = rng.choices(TARGETS, [one.weight for one in TARGETS])
    with tempfile.TemporaryDirectory(prefix="intrepid-fuzz-") as place:
        study = copy_of(target, corpus, Path(place))
        path = rng.choice(files_of(target, study))
        action, mutation = rng.choice(target.actions), rng.choice(target.mutations)
        name = mutation.__name__
        try:
            mutation(path, rng)
        except Exception:  # a library cannot write every absurdity; bits can always be turned
            name = flip_bits.__name__
            flip_bits(path, rng)
        outcome = perform(action, path, study)
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        problem = problem_of(outcome, Path(place), peak_mb)
        if not problem and name in NOTICEABLE and not (target.is_list and name in CUTTING):
            problem = unspoken_change(outcome, _sound(target, action, path.relative_to(study), corpus))
        return {"case": number, "target": target.name, "file": path.name, "mutation": name, "action": action,
                "code": outcome.code, "problem": problem}  # fmt: skip


@cache
def _sound(target: Target, action: str, name: Path, corpus: Path) -> Outcome:
    """Return what the action makes of the undamaged file."""
    with tempfile.TemporaryDirectory(prefix="intrepid-fuzz-") as place:
        study = copy_of(target, corpus, Path(place))
        return perform(action, study / name, study)
