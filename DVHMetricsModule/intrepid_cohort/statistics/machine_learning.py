"""Models of scikit-learn that predict an endpoint; stored by skops, which holds data and no program."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from intrepid_cohort.statistics.charts import Chart, Series, with_unit
from intrepid_cohort.statistics.frames import Sample
from intrepid_rt.atomic import replacing
from intrepid_rt.errors import InvalidSetting, MissingObject, UnreadableFile

MODELS = ("random-forest", "gradient-boosting", "decision-tree", "svr", "mlp")


@dataclass(frozen=True, eq=False)
class Learned:
    """A fitted model, how well it predicts rows it has not seen, and what its variables are worth.

    Parameters
    ----------
    importance : {variable: (mean, sd)} loss of R2 on the test rows when the variable is shuffled.
    cross_validated_r2 : (folds,) on the training rows.
    """

    kind: str
    response: str
    variables: tuple[str, ...]
    model: Any
    train_count: int
    test_count: int
    train_r2: float
    test_r2: float
    test_mean_absolute_error: float
    cross_validated_r2: NDArray
    importance: Mapping[str, tuple[float, float]]
    observed: NDArray
    predicted: NDArray


def learn(
    sample: Sample,
    response: str,
    variables: Sequence[str],
    *,
    kind: str = "random-forest",
    test_share: float = 0.25,
    seed: int = 0,
    **settings: Any,
) -> Learned:
    """Fit a model on a part of the patients and test it on the others.

    All rows of a patient go to the same side. Variables are standardised for SVR and MLP.

    Parameters
    ----------
    settings : of the scikit-learn estimator, such as ``n_estimators=500``.

    Raises
    ------
    InvalidSetting
        Unknown model or setting, or a share that leaves a side empty.
    MissingObject
        Fewer than 20 patients.
    """
    from sklearn.inspection import permutation_importance
    from sklearn.metrics import mean_absolute_error, r2_score
    from sklearn.model_selection import GroupKFold, GroupShuffleSplit, cross_val_score

    if not 0 < test_share < 1:
        raise InvalidSetting(f"Share of test rows {test_share}; expected between 0 and 1.")
    frame = sample.frame
    patients = frame["pseudonym"] if "pseudonym" in frame else pd.Series(range(len(frame)))
    if patients.nunique() < 20:
        raise MissingObject(f"{patients.nunique()} patients; a model needs at least 20, and many more to be of use.")
    x, y = frame[list(variables)].to_numpy(float), frame[response].to_numpy(float)
    train, test = next(GroupShuffleSplit(1, test_size=test_share, random_state=seed).split(x, y, patients))
    model = estimator(kind, seed=seed, **settings)
    folds = cross_val_score(model, x[train], y[train], groups=patients.iloc[train], cv=GroupKFold(5), scoring="r2")
    model.fit(x[train], y[train])
    worth = permutation_importance(model, x[test], y[test], n_repeats=20, random_state=seed, scoring="r2")
    predicted = model.predict(x[test])
    pairs = zip(worth.importances_mean, worth.importances_std, strict=True)
    return Learned(
        kind=kind,
        response=response,
        variables=tuple(variables),
        model=model,
        train_count=len(train),
        test_count=len(test),
        train_r2=float(r2_score(y[train], model.predict(x[train]))),
        test_r2=float(r2_score(y[test], predicted)),
        test_mean_absolute_error=float(mean_absolute_error(y[test], predicted)),
        cross_validated_r2=folds,
        importance={name: (float(m), float(s)) for name, (m, s) in zip(variables, pairs, strict=True)},
        observed=y[test],
        predicted=predicted,
    )


def estimator(kind: str, *, seed: int, **settings: Any) -> Any:
    """Return an unfitted model of scikit-learn.

    Raises
    ------
    InvalidSetting
        Unknown model or setting.
    """
    from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
    from sklearn.neural_network import MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVR
    from sklearn.tree import DecisionTreeRegressor

    makers: dict[str, Any] = {
        "random-forest": lambda: RandomForestRegressor(random_state=seed, **settings),
        "gradient-boosting": lambda: GradientBoostingRegressor(random_state=seed, **settings),
        "decision-tree": lambda: DecisionTreeRegressor(**{"random_state": seed, "max_depth": 4, **settings}),
        "svr": lambda: make_pipeline(StandardScaler(), SVR(**settings)),
        "mlp": lambda: make_pipeline(
            StandardScaler(), MLPRegressor(**{"random_state": seed, "solver": "lbfgs", "max_iter": 5000, **settings})
        ),
    }
    if kind not in makers:
        raise InvalidSetting(f"Model {kind!r}; expected one of {', '.join(MODELS)}.")
    try:
        return makers[kind]()
    except TypeError as error:
        raise InvalidSetting(f"{kind} has no such setting: {error}.") from error


def save_model(learned: Learned, path: str | Path) -> None:
    """Write a model with its variables to a .skops file."""
    import skops.io

    content = {"kind": learned.kind, "response": learned.response, "variables": list(learned.variables),
               "test_r2": learned.test_r2, "test_mean_absolute_error": learned.test_mean_absolute_error,
               "model": learned.model}  # fmt: skip
    with replacing(path) as temporary:
        skops.io.dump(content, temporary)


def load_model(path: str | Path) -> dict[str, Any]:
    """Read what `save_model` wrote; a file that wants anything but models of scikit-learn is refused.

    Raises
    ------
    UnreadableFile
        It is no such file, or holds types that are not trusted.
    """
    import skops.io

    path = Path(path)
    try:
        untrusted = skops.io.get_untrusted_types(file=path)
        foreign = [name for name in untrusted if name not in _TRUSTED]
        if foreign:
            raise UnreadableFile(
                f"{path.name} holds {', '.join(foreign)}, which no model of ours needs. Do not use it."
            )
        content = skops.io.load(path, trusted=untrusted)
    except UnreadableFile:
        raise
    except Exception as error:  # whatever the archive, JSON or array readers trip over
        raise UnreadableFile(f"{path.name} is no model file ({type(error).__name__}). Save it again.") from error
    if not isinstance(content, dict) or not {"model", "variables", "response"} <= set(content):
        raise UnreadableFile(f"{path.name} is no model of this software. Save it again.")
    if not all(_is_sound(tree, len(content["variables"])) for tree in _trees(content["model"])):
        raise UnreadableFile(f"{path.name} holds a tree that leads out of itself. Do not use it.")
    return content


# Besides the types that skops trusts by itself. Its arrays are looked at before it is used.
_TRUSTED = frozenset({"sklearn.tree._tree.Tree"})


def _trees(model: Any) -> Iterator[Any]:
    if hasattr(model, "tree_"):
        yield model.tree_
    for one in np.ravel(getattr(model, "estimators_", [])):
        yield from _trees(one)


def _is_sound(tree: Any, variables: int) -> bool:
    """Whether a tree only leads to nodes of its own: scikit-learn follows the numbers of a file unchecked."""
    node, leaf = np.arange(tree.node_count), tree.children_left == -1
    children = np.stack([tree.children_left, tree.children_right])
    forward = (children > node) & (children < tree.node_count)
    return bool(
        (forward.all(axis=0) | (leaf & (tree.children_right == -1))).all()
        and (leaf | ((tree.feature >= 0) & (tree.feature < variables))).all()
    )


def predict(content: Mapping[str, Any], sample: Sample) -> NDArray:
    """Return what a stored model predicts (n,) for the n rows of a sample that holds its variables."""
    return np.asarray(content["model"].predict(sample.frame[list(content["variables"])].to_numpy(float)))


def chart_of(found: Learned, notes: tuple[str, ...] = ()) -> Chart:
    """Draw predicted over observed values of the rows that were not learned from."""
    ends = [
        float(min(found.observed.min(), found.predicted.min())),
        float(max(found.observed.max(), found.predicted.max())),
    ]
    series = (
        Series("dots", found.observed.tolist(), found.predicted.tolist(), f"{found.test_count} test rows"),
        Series("line", ends, ends, "", colour=5, dashed=True),
    )
    title = f"{found.kind}: {found.response}, R2 = {found.test_r2:.2f} on patients not seen"
    return Chart(title, f"Observed {with_unit(found.response)}", "Predicted", series, notes=notes)


def importance_chart(found: Learned) -> Chart:
    """Draw what the variables are worth."""
    ordered = sorted(found.importance.items(), key=lambda item: item[1][0])
    series = (Series("bars", [name for name, _ in ordered], [mean for _, (mean, _) in ordered], ""),)
    return Chart(f"Importance of variables for {found.response}", "Loss of R2 when shuffled", "", series)
