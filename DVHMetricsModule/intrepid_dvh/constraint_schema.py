"""Our own record of a dose constraint, with its limits by level, its validity and its source.

A library is a JSON file ``{"schema": "intrepid-constraints-1", "name": ..., "records": [...]}``; what is misspelt or
contradicts itself is refused with its place.
"""

from pathlib import Path

import msgspec

from intrepid_dvh.constraint_grammar import parse_constraint
from intrepid_dvh.constraints import Constraint
from intrepid_rt.atomic import write_text
from intrepid_rt.errors import InvalidSetting, UnreadableFile
from intrepid_rt.small_files import read_small_bytes

SCHEMA = "intrepid-constraints-1"
LEVELS = ("mandatory", "acceptable", "ideal")


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the numbers of a record come from."""

    title: str
    doi: str = ""
    url: str = ""
    page: str = ""
    retrieved: str = ""

    @property
    def citation(self) -> str:
        """One line: title, page and identifier."""
        return ", ".join(part for part in (self.title, self.page, f"doi:{self.doi}" if self.doi else self.url) if part)


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """One constraint.

    Parameters
    ----------
    organ : TG-263 name of the structure; ``*`` and ``?`` stand for any letters.
    laterality : which side is meant, where the name does not tell: ``ipsilateral``, ``contralateral``, ``both``.
    metric, comparator, unit : as in ``D0.03cc``, ``<=``, ``Gy``; the limits are in ``unit``.
    mandatory, acceptable, ideal : limits; none of them may contradict a stricter one.
    fractions_min, fractions_max : number of fractions for which the limits hold; both or neither.
    score : points (value of the metric, score) in ascending order of the value, for scorecards.
    """

    id: str
    organ: str
    metric: str
    comparator: str
    unit: str = ""
    mandatory: float | None = None
    acceptable: float | None = None
    ideal: float | None = None
    endpoint: str = ""
    laterality: str = ""
    fractions_min: int | None = None
    fractions_max: int | None = None
    alpha_beta_gy: float | None = None
    evidence: str = ""
    score: tuple[tuple[float, float], ...] = ()
    source: Source | None = None
    note: str = ""

    @property
    def fractions(self) -> tuple[int, int] | None:
        """Fewest and most fractions, None for any."""
        if self.fractions_min is None or self.fractions_max is None:
            return None
        return self.fractions_min, self.fractions_max

    def constraints(self) -> list[Constraint]:
        """Return a constraint for each level that has a limit."""
        citation = self.source.citation if self.source else ""
        limits = {level: getattr(self, level) for level in LEVELS}
        return [
            Constraint(
                f"{self.metric} {self.comparator} {limit:.15g}{self.unit}",
                structure=self.organ,
                level=level,
                fractions=self.fractions,
                citation=citation,
            )
            for level, limit in limits.items()
            if limit is not None
        ]


class LeftOut(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A limit of another format that no record can hold, such as one on a named NTCP model."""

    organ: str
    rule: str
    level: str


class Library(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A named set of records, and what a conversion from another format could not make a record of."""

    schema: str
    name: str
    records: tuple[Record, ...]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def notes(self) -> list[str]:
        """What was left out, one line each."""
        return [f"{lost.organ}: the limit {lost.rule} cannot be evaluated here." for lost in self.left_out]

    def constraints(self) -> list[Constraint]:
        """Return the constraints of all records; those left out come too, and get results without verdict."""
        known = [constraint for record in self.records for constraint in record.constraints()]
        return known + [Constraint(lost.rule, structure=lost.organ, level=lost.level) for lost in self.left_out]


def read_library(path: str | Path) -> Library:
    """Read and check a library.

    Raises
    ------
    UnreadableFile : no JSON of this schema, or a record that contradicts itself.
    """
    path = Path(path)
    return library_from_json(read_small_bytes(path), str(path))


def library_from_json(raw: bytes, source: str) -> Library:
    """Decode and check a library; ``source`` names it in messages.

    Raises
    ------
    UnreadableFile : no JSON of this schema, or a record contradicts itself.
    """
    try:
        library = msgspec.json.decode(raw, type=Library)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableFile(f"{source} is no constraint library: {error}.") from None
    if library.schema != SCHEMA:
        raise UnreadableFile(f"{source} follows the schema '{library.schema}'; expected '{SCHEMA}'.")
    try:
        check_library(library)
    except InvalidSetting as error:
        raise UnreadableFile(f"{source}: {error}") from None
    return library


def write_library(path: str | Path, library: Library) -> None:
    """Write a library as JSON, whole or not at all."""
    check_library(library)
    write_text(path, msgspec.json.format(msgspec.json.encode(library), indent=2).decode() + "\n")


def check_library(library: Library) -> None:
    """Check that identifiers are unique and no record contradicts itself.

    Raises
    ------
    InvalidSetting : with the identifier of the record.
    """
    ids = [record.id for record in library.records]
    for record in library.records:
        problem = f"its id occurs {ids.count(record.id)} times" if ids.count(record.id) > 1 else _problem(record)
        if problem:
            raise InvalidSetting(f"Record {record.id}: {problem}.")


def _problem(record: Record) -> str:
    constraints = record.constraints()
    if not constraints and not record.score:
        return f"it has none of the limits {', '.join(LEVELS)} and no score"
    parsed = [parse_constraint(constraint.text) for constraint in constraints]
    bad = [constraint.problem or constraint.missing for constraint in parsed]
    if any(bad):
        return next(filter(None, bad))
    if (record.fractions_min is None) != (record.fractions_max is None):
        return "give both fractions_min and fractions_max, or neither"
    if record.fractions and not 0 < record.fractions[0] <= record.fractions[1]:
        return f"{record.fractions[0]} to {record.fractions[1]} is no range of fractions"
    if [value for value, _ in record.score] != sorted({value for value, _ in record.score}):
        return "the values of its score must ascend"
    return _order_problem(record)


def _order_problem(record: Record) -> str:
    limits = [limit for level in LEVELS if (limit := getattr(record, level)) is not None]
    stricter_is_lower = record.comparator.startswith("<")
    if limits != sorted(limits, reverse=stricter_is_lower):
        return "its ideal, acceptable and mandatory limits must go from strict to loose"
    return ""
