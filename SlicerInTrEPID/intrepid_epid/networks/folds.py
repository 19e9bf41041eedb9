"""Cross-validation by groups: pairs of one phantom and plan stay on one side."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from intrepid_rt.errors import MissingObject


def fold_of_groups(groups: Sequence[str], n_folds: int, *, seed: int, repeat: int) -> dict[str, int]:
    """Deal groups to folds of about equal size, differently in every repeat.

    Parameters
    ----------
    groups : sequence of str
        The group of every pair.

    Returns
    -------
    dict : group name to fold number.

    Raises
    ------
    MissingObject
        Fewer groups than folds.

    Examples
    --------
    >>> sorted(fold_of_groups(["a", "a", "b", "c"], 2, seed=0, repeat=0).items())
    [('a', 0), ('b', 1), ('c', 1)]
    """
    sizes = Counter(groups)
    if len(sizes) < n_folds:
        raise MissingObject(
            f"The training part has {len(sizes)} groups of phantom and plan, fewer than {n_folds} folds. Add pairs, or "
            "take fewer folds."
        )
    names = sorted(sizes)
    np.random.default_rng([seed, repeat]).shuffle(names)
    names.sort(key=lambda name: -sizes[name])  # stable: the largest first, those alike in random order
    filled = [0] * n_folds
    fold = {}
    for name in names:
        fold[name] = int(np.argmin(filled))
        filled[fold[name]] += sizes[name]
    return fold
