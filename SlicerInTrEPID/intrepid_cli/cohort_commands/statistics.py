"""``intrepid cohort stats``: population DVHs, trends, control charts, correlation, regression, groups, models."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from intrepid_cli.cohort_commands.shared import PATH, database_option, library, question, question_options, table
from intrepid_cli.console import DONE, json_option, report

if TYPE_CHECKING:
    from intrepid_cohort.statistics.frames import Sample


@click.group("stats")
def command() -> None:
    """Statistics of the structures that meet conditions, as numbers and as pictures.

    --plot takes .png, .svg, .pdf, and .html for a page that answers to the pointer. Columns of --show and metrics of
    --metric are what the statistics work on.
    """


def _common(function: Callable) -> Callable:
    plot = click.option("--plot", type=PATH, metavar="FILE", help="Draw into a .png, .svg, .pdf or .html file.")
    return database_option(question_options(plot(json_option(function))))


@command.command("dvh")
@_common
@click.option("--relative-dose", is_flag=True, help="Dose in percent of each plan's prescription.")
@click.option("--absolute-volume", is_flag=True, help="Volume in cm3.")
@click.option("--out", type=PATH, metavar="FILE", help="Write the curves (.csv, .xlsx, .dta, .parquet, .json).")
def dvh(database: str, plot: Path | None, out: Path | None, as_json: bool, **options: Any) -> int:
    """Average many DVHs: mean, median and percentiles of volume at each dose, for each --group."""
    engine = library().open_database(database)
    from intrepid_cohort.statistics import population_dvh

    asked = question(engine, options)
    groups = {
        name: population_dvh.population_dvh(
            engine, [*asked.conditions, *own], relative_dose=options["relative_dose"],
            relative_volume=not options["absolute_volume"],
        )
        for name, own in (asked.groups or {"": []}).items()
    }  # fmt: skip
    _save(plot, lambda: population_dvh.chart_of(groups))
    rows = [row for name, found in groups.items() for row in _curve_rows(name, found)]
    if out is not None:
        from intrepid_cohort.row_files import write_rows

        write_rows(out, rows, list(rows[0]))
    notes = [note for found in groups.values() for note in found.notes]
    text = "\n".join([*(f"{name or 'all'}: {found.count} DVHs" for name, found in groups.items()), *notes])
    shown = {name: {"count": found.count, "notes": found.notes} for name, found in groups.items()}
    report({"groups": shown, "curves": rows}, text, as_json=as_json)
    return DONE


def _curve_rows(name: str, found: Any) -> Iterable[dict[str, Any]]:
    for i, dose in enumerate(found.dose):
        volumes = {f"p{percent}": float(values[i]) for percent, values in found.percentiles.items()}
        yield {"group": name, "dose": float(dose), "mean": float(found.mean[i]), **volumes}


@command.command("time")
@_common
@click.option("--window", default=10, show_default=True, help="Number of values in the moving average.")
@click.option("--band", default=90.0, show_default=True, help="Percent of values within the moving band.")
@click.option("--time", "time_column", default="study_date", show_default=True, metavar="COLUMN")
def time(database: str, plot: Path | None, as_json: bool, window: int, band: float, time_column: str,
         **options: Any) -> int:  # fmt: skip
    """One --metric (or column) over time with moving average and percentiles."""
    sample, names = _sample(database, options, extra=(time_column,))
    from intrepid_cohort.statistics import time_series

    found = time_series.trend(sample, names[0], time=time_column, window=window, band=band)
    _save(plot, lambda: time_series.chart_of(found, names[0], sample.notes))
    rows = [
        {"date": day, "value": value, "average": average, "lower": low, "upper": high}
        for day, value, average, low, high in zip(
            found.days, found.values.tolist(), found.average.tolist(), found.lower.tolist(), found.upper.tolist(),
            strict=True)
    ]  # fmt: skip
    text = table(rows, ["date", "value", "average", "lower", "upper"])
    report({"endpoint": names[0], "rows": rows, "notes": sample.notes}, _with(text, sample), as_json=as_json)
    return DONE


@command.command("control")
@_common
@click.option("--on", "variables", multiple=True, metavar="NAME", help="Adjust for this column or metric; repeatable.")
@click.option("--sigmas", default=3.0, show_default=True, help="Distance of the limits.")
@click.option("--lowest", type=float, help="The quantity cannot be lower.")
@click.option("--highest", type=float, help="The quantity cannot be higher.")
@click.option("--time", "time_column", default="study_date", show_default=True, metavar="COLUMN")
def control(database: str, plot: Path | None, as_json: bool, variables: Sequence[str], time_column: str,
            sigmas: float, lowest: float | None, highest: float | None, **options: Any) -> int:  # fmt: skip
    """Control chart of individual values of one --metric (or column) in order of time."""
    sample, names = _sample(database, options, extra=(time_column, *variables))
    from intrepid_cohort.statistics import control_charts

    sample = replace(sample, frame=sample.frame.sort_values(time_column, ignore_index=True))
    if variables:
        found = control_charts.regression_adjusted_chart(sample, names[0], variables, sigmas=sigmas)
    else:
        labels = sample.frame["pseudonym"].astype(str).tolist()
        values = sample.frame[names[0]].to_numpy(float)
        found = control_charts.individuals_chart(values, sigmas=sigmas, lowest=lowest, highest=highest, labels=labels)
    _save(plot, lambda: control_charts.chart_of(found, names[0], sample.notes))
    beyond = [{"number": i + 1, "patient": found.labels[i], "value": float(found.values[i])} for i in found.out]
    shown = {"endpoint": names[0], "count": len(found.values), "centre": found.centre, "sigma": found.sigma,
             "lower": found.lower, "upper": found.upper, "adjusted_for": found.adjusted_for, "out_of_control": beyond,
             "notes": sample.notes}  # fmt: skip
    text = f"{len(found.values)} values, centre {found.centre:.4g}, limits {found.lower:.4g} to {found.upper:.4g}\n"
    text += table(beyond, ["number", "patient", "value"]) if beyond else "All values are within the limits."
    report(shown, _with(text, sample), as_json=as_json)
    return DONE


@command.command("correlation")
@_common
@click.option("--method", type=click.Choice(["pearson", "spearman"]), default="pearson", show_default=True)
def correlation(database: str, plot: Path | None, as_json: bool, method: str, **options: Any) -> int:
    """Correlation of all --show columns and --metric metrics, p values corrected after Holm."""
    sample, names = _sample(database, options)
    from intrepid_cohort.statistics import correlation as library_

    found = library_.correlation(sample, names, method=method)
    _save(plot, lambda: library_.chart_of(found, sample.notes))
    rows = [
        {"a": a, "b": b, "r": float(found.coefficients[i, j]), "p": float(found.p_values[i, j])}
        for i, a in enumerate(names) for j, b in enumerate(names) if i < j
    ]  # fmt: skip
    report({"method": method, "count": found.count, "pairs": rows, "notes": sample.notes},
           _with(table(rows, ["a", "b", "r", "p"]), sample), as_json=as_json)  # fmt: skip
    return DONE


@command.command("regression")
@_common
@click.option("--on", "variables", multiple=True, required=True, metavar="NAME", help="A variable; repeatable.")
@click.option("--eliminate", is_flag=True, help="Leave out the least significant variable, again and again.")
@click.option("--keep-p", default=0.05, show_default=True, help="P value up to which a variable stays.")
@click.option("--probability-plot", type=PATH, metavar="FILE", help="Draw residuals against normal quantiles.")
def regression(database: str, plot: Path | None, as_json: bool, variables: Sequence[str], eliminate: bool,
               keep_p: float, probability_plot: Path | None, **options: Any) -> int:  # fmt: skip
    """Linear regression of one --metric (or column) on variables."""
    sample, names = _sample(database, options, extra=variables)
    from intrepid_cohort.statistics import regression as library_

    found = (
        library_.backward_elimination(sample, names[0], variables, keep_p=keep_p)
        if eliminate
        else library_.fit(sample, names[0], variables)
    )
    _save(plot, lambda: library_.chart_of(found, sample.notes))
    _save(probability_plot, lambda: library_.probability_chart(found))
    rows = [asdict(one) for one in found.coefficients]
    shown = {"response": found.response, "count": found.count, "r_squared": found.r_squared,
             "r_squared_adjusted": found.r_squared_adjusted, "f_p_value": found.f_p_value,
             "residual_normality_p": found.residual_normality_p, "coefficients": rows,
             "eliminated": [{"name": n, "p_value": p} for n, p in found.eliminated], "notes": sample.notes}  # fmt: skip
    text = table(rows, ["name", "value", "low", "high", "p_value", "vif"])
    text += f"\nR2 {found.r_squared:.4f}, adjusted {found.r_squared_adjusted:.4f}, {found.count} rows"
    text += "".join(f"\nleft out: {name} (p = {p:.3g})" for name, p in found.eliminated)
    report(shown, _with(text, sample), as_json=as_json)
    return DONE


@command.command("groups")
@_common
@click.option("--t-test", "means", is_flag=True, help="Compare means (Welch, analysis of variance) instead of ranks.")
@click.option("--correction", type=click.Choice(["holm", "fdr_bh", "bonferroni", "none"]), default="holm",
              show_default=True)  # fmt: skip
@click.option("--by", metavar="COLUMN", help="Groups are the values of this column, instead of --group.")
def groups(database: str, plot: Path | None, as_json: bool, means: bool, correction: str, by: str | None,
           **options: Any) -> int:  # fmt: skip
    """Compare every --metric (and --show column) between groups; --plot draws the first."""
    group = by or "group"
    sample, names = _sample(database, options, labels=(group,))
    from intrepid_cohort.statistics import group_tests

    names = [name for name in names if name != group]
    found = group_tests.compare_groups(sample, names, group=group, ranks=not means, correction=correction)
    _save(plot, lambda: group_tests.chart_of(sample, found[0], group=group, notes=sample.notes))
    rows = [asdict(one) for one in found]
    flat = [
        {"endpoint": r["endpoint"], **{f"{k} ({r['counts'][k]})": v for k, v in r["medians"].items()},
         r["effect_name"]: r["effect"], "p": r["p_value"], "corrected p": r["corrected_p_value"]}
        for r in rows
    ]  # fmt: skip
    text = f"{found[0].test}; medians by group:\n{table(flat, list(flat[0]))}"
    report({"tests": rows, "correction": correction, "notes": sample.notes}, _with(text, sample), as_json=as_json)
    return DONE


@command.command("learn")
@_common
@click.option("--on", "variables", multiple=True, required=True, metavar="NAME", help="A variable; repeatable.")
@click.option("--kind", default="random-forest", show_default=True,
              type=click.Choice(["random-forest", "gradient-boosting", "decision-tree", "svr", "mlp"]))  # fmt: skip
@click.option("--test-share", default=0.25, show_default=True, help="Part of the patients kept for the test.")
@click.option("--seed", default=0, show_default=True)
@click.option("--out", type=PATH, metavar="FILE", help="Store the model (.skops: no program in it).")
@click.option("--importance-plot", type=PATH, metavar="FILE", help="Draw what the variables are worth.")
def learn(database: str, plot: Path | None, as_json: bool, variables: Sequence[str], out: Path | None, kind: str,
          test_share: float, seed: int, importance_plot: Path | None, **options: Any) -> int:  # fmt: skip
    """Fit a model that predicts one --metric (or column); tested on patients that it has not seen."""
    sample, names = _sample(database, options, extra=variables)
    from intrepid_cohort.statistics import machine_learning

    found = machine_learning.learn(sample, names[0], variables, kind=kind, test_share=test_share, seed=seed)
    _save(plot, lambda: machine_learning.chart_of(found, sample.notes))
    _save(importance_plot, lambda: machine_learning.importance_chart(found))
    if out is not None:
        machine_learning.save_model(found, out)
    worth = [{"variable": name, "importance": m, "sd": sd} for name, (m, sd) in found.importance.items()]
    shown = {"kind": kind, "response": found.response, "train_count": found.train_count,
             "test_count": found.test_count, "train_r2": found.train_r2, "test_r2": found.test_r2,
             "test_mean_absolute_error": found.test_mean_absolute_error,
             "cross_validated_r2": found.cross_validated_r2, "importance": worth, "notes": sample.notes}  # fmt: skip
    text = (
        f"R2 {found.test_r2:.3f} on {found.test_count} rows of patients not seen (learned from: {found.train_r2:.3f}), "
        f"mean absolute error {found.test_mean_absolute_error:.4g}\n{table(worth, ['variable', 'importance', 'sd'])}"
    )
    report(shown, _with(text, sample), as_json=as_json)
    return DONE


@command.command("predict")
@_common
@click.option("--model-file", type=PATH, required=True, metavar="FILE", help="Model that stats learn has stored.")
def predict(database: str, plot: Path | None, as_json: bool, model_file: Path, **options: Any) -> int:
    """Predict the endpoint of a stored model for the structures that meet the conditions."""
    from intrepid_rt.errors import InvalidSetting

    if plot is not None:
        raise InvalidSetting("stats predict draws nothing. Leave --plot out.")
    library()
    from intrepid_cohort.statistics import machine_learning

    content = machine_learning.load_model(model_file)
    sample, _ = _sample(database, options, extra=content["variables"], predicting=True)
    values = machine_learning.predict(content, sample).tolist()
    shown = sample.frame.filter(["pseudonym", "roi_name"]).to_dict("records")
    rows = [{**row, "predicted": value} for row, value in zip(shown, values, strict=True)]
    text = f"{content['response']} as predicted:\n{table(rows, ['pseudonym', 'roi_name', 'predicted'])}"
    report({"response": content["response"], "rows": rows, "notes": sample.notes}, _with(text, sample), as_json=as_json)
    return DONE


def _sample(
    database: str,
    options: dict[str, Any],
    *,
    extra: Sequence[str] = (),
    labels: Sequence[str] = (),
    predicting: bool = False,
) -> tuple["Sample", list[str]]:
    """Return the rows, and the columns and metrics that were asked for besides ``extra``."""
    from intrepid_cohort.query import is_column
    from intrepid_cohort.saved_queries import Question
    from intrepid_cohort.statistics.frames import sample_of
    from intrepid_rt.errors import InvalidSetting

    engine = library().open_database(database)
    asked = question(engine, options)
    names = [*options["show"], *asked.metrics]
    further = [name for name in (*extra, *labels) if name != "group"]
    if not names and not predicting:
        raise InvalidSetting("Nothing to work on; expected a --metric, or a column by --show.")
    columns = [name for name in (*names, *further) if is_column(name)]
    metrics = [name for name in (*names, *further) if not is_column(name)]
    full = Question(
        asked.conditions, asked.groups, list(dict.fromkeys((*_USUAL, *columns))), list(dict.fromkeys(metrics)),
        asked.model_arguments,
    )  # fmt: skip
    numbers = [name for name in (*names, *extra) if name not in labels]
    return sample_of(full.ask(engine), numbers, labels), names


_USUAL = ("pseudonym", "roi_name", "study_date")


def _save(path: Path | None, make: Callable[[], Any]) -> None:
    if path is not None:
        from intrepid_cohort.statistics.charts import save

        save(make(), path)


def _with(text: str, sample: "Sample") -> str:
    return "\n".join([text, *(f"Note: {note}" for note in sample.notes)])
