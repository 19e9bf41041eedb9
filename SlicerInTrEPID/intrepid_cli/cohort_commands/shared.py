"""What the subcommands share: the option for the database, the question to it, tables on screen, progress."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from intrepid_cohort.saved_queries import Question

PATH = click.Path(path_type=Path)

database_option = click.option(
    "--database", required=True, metavar="URL", help="SQLite file, or postgresql://user@host/name."
)


def question_options(function: Callable) -> Callable:
    """Add the options that choose rows: conditions, groups, columns, metrics, model parameters, a saved query."""
    for option in reversed((
        click.option("--where", "conditions", multiple=True, metavar="TEXT",
                     help="Such as 'name ~ lung* and mean_gy = 5..10', 'D95% >= 47'; repeatable, all must hold."),
        click.option("--group", "groups", multiple=True, metavar="NAME: TEXT",
                     help="A group to compare, such as 'A: centre = A'; repeatable."),
        click.option("--show", multiple=True, metavar="NAME", help="A further column; repeatable."),
        click.option("--metric", "metrics", multiple=True, metavar="TEXT",
                     help="Such as D95%, V20Gy, DEUD, DNTCP; repeatable."),
        click.option("--model", "model", multiple=True, metavar="NAME=VALUE",
                     help="Parameter of DEUD, DNTCP or DTCP, such as EUDa=8; repeatable."),
        click.option("--organ", "organ", metavar="ORGAN",
                     help="Published parameters of DEUD and DNTCP for an organ; 'list' shows the table."),
        click.option("--saved", metavar="NAME", help="Start from a saved query."),
    )):  # fmt: skip
        function = option(function)
    return function


def library() -> Any:
    """Return the database module, or say what to install for it."""
    from intrepid_rt.errors import MissingObject

    try:
        from intrepid_cohort import database
    except ModuleNotFoundError as error:
        raise MissingObject(
            f"The cohort database needs the package {error.name}. Run: pip install 'slicer-intrepid[cohort]'"
        ) from error
    return database


def question(engine: Any, options: dict[str, Any]) -> "Question":
    """Return the question that the options ask, on top of the saved one if they name one."""
    from intrepid_cohort.saved_queries import Question, load

    base = load(engine, options["saved"]) if options["saved"] else Question()
    return Question(
        conditions=[*base.conditions, *options["conditions"]],
        groups={**base.groups, **_groups(options["groups"])},
        show=list(dict.fromkeys((*base.show, *options["show"]))),
        metrics=list(dict.fromkeys((*base.metrics, *options["metrics"]))),
        model_arguments={**base.model_arguments, **model_arguments(options["model"], options["organ"])},
    )


def _groups(texts: Sequence[str]) -> dict[str, list[str]]:
    from intrepid_rt.errors import InvalidSetting

    groups: dict[str, list[str]] = {}
    for text in texts:
        name, colon, condition = (part.strip() for part in text.partition(":"))
        if not (name and colon and condition):
            raise InvalidSetting(f"--group {text!r}: expected a name and a condition, such as 'A: centre = A'.")
        groups.setdefault(name, []).append(condition)
    return groups


def model_arguments(texts: Sequence[str], organ: str | None = None) -> dict[str, Any]:
    """Return the parameters of the dose-response models.

    Raises
    ------
    InvalidSetting
        One is no parameter of a model, or the organ is not in the table.
    """
    from intrepid_cohort.organ_parameters import parameters_of
    from intrepid_dvh.model_arguments import MODEL_TYPES, require_known
    from intrepid_rt.errors import InvalidSetting

    arguments: dict[str, Any] = parameters_of(organ) if organ else {}
    for text in texts:
        name, _, value = (part.strip() for part in text.partition("="))
        try:
            arguments[name] = value if value in MODEL_TYPES else float(value)
        except ValueError:
            raise InvalidSetting(f"--model {text!r}: expected NAME=NUMBER, such as EUDa=8.") from None
    require_known(arguments)
    return arguments


def table(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> str:
    """Lay rows out for the screen."""
    cells = [list(names)] + [[_cell(row.get(name)) for name in names] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(names))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


class Progress:
    """A bar per stage on standard error, with rate and time left."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._stage = ""

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, stage: str, done: int, total: int) -> None:
        """Show how far a stage is."""
        from tqdm import tqdm

        if stage != self._stage:
            self.__exit__()
            self._bar, self._stage = tqdm(total=total, desc=stage), stage
        self._bar.total = total
        self._bar.update(done - self._bar.n)
