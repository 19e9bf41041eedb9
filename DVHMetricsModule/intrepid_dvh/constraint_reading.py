"""Constraints from any file that holds some, or from a template that comes with the package."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from intrepid_dvh.constraint_files import parse_constraint_table
from intrepid_dvh.constraint_roe import library_from_roe, looks_like_roe
from intrepid_dvh.constraint_schema import SCHEMA, Library, Record, library_from_json
from intrepid_dvh.constraints import Constraint
from intrepid_dvh.text.decoding import Options, decoded_bytes
from intrepid_rt.errors import MissingObject, UnreadableFile
from intrepid_rt.small_files import parse_json, read_small_bytes


def read_constraints(source: str | Path) -> list[Constraint]:
    """Read constraints from a table, a library of ours, ROE criteria, or a template by its name.

    The content tells the kind of file. Libraries give one constraint per level; see :class:`Constraint`.

    Raises
    ------
    MissingObject : neither a file nor a template has that name.
    UnreadableFile : the file holds no constraints in a known form; the line or record is named.
    """
    found = library_or_table(source)
    return found.constraints() if isinstance(found, Library) else found


def library_or_table(source: str | Path) -> Library | list[Constraint]:
    """Return what a file or template holds: a library with sources and levels, or a plain table's constraints.

    Raises
    ------
    MissingObject : ``source`` is neither a file nor the name of a template.
    UnreadableFile : the file is no table and no library.
    """
    if str(source) in template_names():
        return read_template(str(source))
    path = Path(source)
    if not path.exists() or path.is_dir():
        raise MissingObject(f"{source} is neither a file nor a template; templates are {', '.join(template_names())}.")
    raw = read_small_bytes(path)
    if not raw.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[")):
        return parse_constraint_table(decoded_bytes(raw, path, Options()), str(path))
    return _from_json(raw, path)


def _from_json(raw: bytes, path: Path) -> Library:
    content = parse_json(raw, str(path))
    if looks_like_roe(content):
        return library_from_roe(content, str(path))
    return library_from_json(raw, str(path))


def template_names() -> list[str]:
    """Return the names of the templates that come with the package."""
    return sorted(entry.name.removesuffix(".json") for entry in _folder().iterdir() if entry.name.endswith(".json"))


def read_template(name: str) -> Library:
    """Return a template; every record of it names the source of its numbers."""
    return library_from_json((_folder() / f"{name}.json").read_bytes(), f"template {name}")


def library_of(constraints: list[Constraint], name: str) -> Library:
    """Return a plain table's constraints as a library of mandatory limits.

    Raises
    ------
    UnreadableFile : a constraint is for one patient, or is no constraint; a library holds neither.
    """
    records = tuple(_record(constraint, number) for number, constraint in enumerate(constraints, start=1))
    return Library(schema=SCHEMA, name=name, records=records)


def _record(constraint: Constraint, number: int) -> Record:
    from intrepid_dvh.constraint_grammar import parse_constraint
    from intrepid_dvh.units import UNIT_LABEL

    parsed = parse_constraint(constraint.text)
    if constraint.patient != "*" or parsed.problem or parsed.missing:
        problem = parsed.problem or parsed.missing or f"it is for patient {constraint.patient} only"
        raise UnreadableFile(f"Constraint {number} ({constraint.text}) cannot go into a library: {problem}.")
    metric = parsed.metric.canonical.partition("_")[0]
    return Record(
        id=f"{constraint.structure}-{metric}-{number}",
        organ=constraint.structure,
        metric=metric,
        comparator=parsed.comparator,
        unit=UNIT_LABEL[parsed.unit],
        mandatory=parsed.limit,
    )


def _folder() -> Traversable:
    return files("intrepid_dvh") / "templates"
