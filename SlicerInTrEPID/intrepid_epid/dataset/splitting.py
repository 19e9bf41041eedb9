"""Train, validation and test parts, by phantom and plan, so that no phantom is learned from and judged with."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from intrepid_rt.errors import AmbiguousInput, InvalidSetting


def check_stated(stated: Mapping[str, Sequence[str]]) -> None:
    """Refuse a published split that leaves pairs out or tears a phantom apart.

    Parameters
    ----------
    stated : fold group to the split of each of its pairs.

    Raises
    ------
    AmbiguousInput
    """
    for group, splits in stated.items():
        if len(set(splits)) > 1:
            raise AmbiguousInput(
                f"{group} is in the {' and the '.join(sorted(set(splits)))} part; a phantom must lie in one. Correct "
                "the column split, or leave it out."
            )


def split_groups(
    groups: Mapping[str, tuple[str, int]], *, test_percent: float, validation_percent: float, seed: int
) -> dict[str, str]:
    """Deal groups to train, validation and test, each family in about the same shares.

    Parameters
    ----------
    groups : fold group to (family, number of pairs).

    Returns
    -------
    dict : fold group to split; the same seed and groups give the same split.

    Raises
    ------
    InvalidSetting
        Percentages that leave nothing to train with.

    Examples
    --------
    >>> parts = split_groups({f"g{n}": ("OMG", 10) for n in range(10)}, test_percent=10, validation_percent=20, seed=1)
    >>> sorted(parts.values())
    ['test', 'train', 'train', 'train', 'train', 'train', 'train', 'train', 'validation', 'validation']
    """
    if min(test_percent, validation_percent) < 0 or test_percent + validation_percent >= 100:
        raise InvalidSetting(f"{test_percent:g} % test and {validation_percent:g} % validation leave nothing to train.")
    families: dict[str, list[str]] = defaultdict(list)
    for group in sorted(groups):
        families[groups[group][0]].append(group)
    rng = np.random.default_rng(seed)
    parts: dict[str, str] = {}
    owed = {"test": 0.0, "validation": 0.0}
    for family in sorted(families):
        names = families[family]
        rng.shuffle(names)
        total = sum(groups[name][1] for name in names)
        # What a family of few phantoms cannot give is owed by the next ones.
        owed["test"] += total * test_percent / 100
        owed["validation"] += total * validation_percent / 100
        for position, name in enumerate(names):
            last = position == len(names) - 1
            part = next((p for p in ("test", "validation") if not last and owed[p] >= groups[name][1] / 2), "train")
            if part in owed:
                owed[part] -= groups[name][1]
            parts[name] = part
    return parts
