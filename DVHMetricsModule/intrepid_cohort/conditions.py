"""The language in which a cohort is asked: conditions on columns and metrics, joined by and, or, not, parentheses.

    name ~ heart|herz                         text, * for anything, | for alternatives, case ignored
    centre = A|B and not type = PTV           exactly one of these
    mean_gy = 5..10, study_date >= 2024-06    ranges (both ends count); part of a date means all of it
    (sex = F or age < 40) and D95% >= 47.5    metrics, read off the stored curves
    plan_intent = none                        not stated

A value goes on to the next ``and``, ``or`` or closing parenthesis; one that holds these is put in double quotes.
"""

import calendar
import re
from collections.abc import Callable, Iterator
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import ColumnElement, and_, func, not_
from sqlalchemy import or_ as any_of

from intrepid_rt.errors import InvalidSetting

_LEAF = re.compile(r"([a-z_0-9.%\[\]]+)\s*(<=|>=|!=|=|<|>|~)\s*(.*)", re.IGNORECASE | re.DOTALL)
_EXAMPLES = "roi_name ~ lung*, mean_gy = 5..10, not (centre = A or centre = B)"

Leaf = Callable[[str, str, str], ColumnElement[bool]]  # name, operator, value


def clause_of(text: str, leaf: Leaf) -> ColumnElement[bool]:
    """Return the SQL of a condition; ``leaf`` makes that of its single comparisons.

    Raises
    ------
    InvalidSetting
        The text is no condition.
    """
    text = text.strip()
    for word, join in (("or", any_of), ("and", and_)):
        parts = _split(text, word)
        if len(parts) > 1:
            return join(*(clause_of(part, leaf) for part in parts))
    if re.match(r"not\b", text, re.IGNORECASE):
        return not_(clause_of(text[3:], leaf))
    if _is_enclosed(text):
        return clause_of(text[1:-1], leaf)
    matched = _LEAF.fullmatch(text)
    if matched is None:
        raise InvalidSetting(f"{text!r} is no condition; expected for example: {_EXAMPLES}.")
    return leaf(*matched.groups())


def leaf_names(text: str) -> Iterator[str]:
    """Yield the names that a condition compares, for example ``D95%``.

    >>> list(leaf_names("D95% >= 47 and not (name ~ a or sex = F)"))
    ['D95%', 'name', 'sex']
    """
    parts = [part for piece in _split(text.strip(), "or") for part in _split(piece, "and")]
    if len(parts) > 1:
        for part in parts:
            yield from leaf_names(part)
        return
    bare = re.sub(r"^not\b\s*", "", text.strip(), flags=re.IGNORECASE)
    if bare != text:
        yield from leaf_names(bare)
    elif _is_enclosed(bare):
        yield from leaf_names(bare[1:-1])
    elif matched := _LEAF.fullmatch(bare):
        yield matched[1]


def comparison(column: Any, operator: str, value: str) -> ColumnElement[bool]:
    """Return the SQL of one comparison; see the language above.

    Raises
    ------
    InvalidSetting
        The value is none of the column's type, or the operator takes no alternatives.
    """
    if value.lower() == "none" and operator in ("=", "!="):
        return column.is_(None) if operator == "=" else column.is_not(None)
    parts = [_unquoted(part) for part in _alternatives(value)]
    if operator == "~":
        return any_of(*(_like(column, part) for part in parts))
    if operator in ("=", "!="):
        among = any_of(*(_is(column, part) for part in parts))
        return among if operator == "=" else not_(among)
    if len(parts) > 1:
        raise InvalidSetting(f"{operator} {value}: alternatives are for = and ~ only.")
    low, high = _typed(column, parts[0])
    return {"<": column < low, "<=": column <= high, ">": column > high, ">=": column >= low}[operator]


def _is(column: Any, value: str) -> ColumnElement[bool]:
    kind = column.type.python_type
    ends = value.split("..") if kind is not str else [value]
    if len(ends) > 2:
        raise InvalidSetting(f"{value!r} is no range; write for example 5..10.")
    (low, high) = (
        _typed(column, ends[0]) if len(ends) == 1 else (_typed(column, ends[0])[0], _typed(column, ends[1])[1])
    )
    return column == low if low == high else column.between(low, high)


def _typed(column: Any, value: str) -> tuple[Any, Any]:
    """First and last value that a text means: one number, or all days of a month."""
    kind, value = column.type.python_type, value.strip()
    try:
        if kind in (date, datetime):
            return _period(value, kind)
        typed = {"true": True, "false": False}[value.lower()] if kind is bool else kind(value)
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidSetting(f"{value!r} is no {kind.__name__}; dates are written 2026-01-31 or 2026-01.") from error
    return typed, typed


def _period(value: str, kind: type) -> tuple[Any, Any]:
    if kind is datetime and len(value) > 10:
        return datetime.fromisoformat(value), datetime.fromisoformat(value)
    numbers = [int(part) for part in value.split("-")]
    year, first_month = numbers[0], numbers[1] if len(numbers) > 1 else 1
    last_month = first_month if len(numbers) > 1 else 12
    first_day = numbers[2] if len(numbers) > 2 else 1
    last_day = numbers[2] if len(numbers) > 2 else calendar.monthrange(year, last_month)[1]
    first, last = date(year, first_month, first_day), date(year, last_month, last_day)
    return (first, last) if kind is date else (datetime.combine(first, time()), datetime.combine(last, time.max))


def _like(column: Any, pattern: str) -> ColumnElement[bool]:
    # Translated here: LIKE differs between databases, and a name may hold % or _.
    escaped = re.sub(r"([\\%_])", r"\\\1", pattern.lower()).replace("*", "%")
    return func.lower(column).like(escaped, escape="\\")


def _alternatives(value: str) -> list[str]:
    return [value] if value.startswith('"') and value.endswith('"') and value.count('"') == 2 else value.split("|")


def _unquoted(value: str) -> str:
    value = value.strip()
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value


def _split(text: str, word: str) -> list[str]:
    """Cut a text at a word that stands outside of quotes and parentheses.

    >>> _split('a = 1 or (b = 2 or c = 3) or d = "x or y"', "or")
    ['a = 1', '(b = 2 or c = 3)', 'd = "x or y"']
    """
    cuts = [found.span() for found in re.finditer(rf"(?<![^\s\0]){word}(?![^\s\0])", _masked(text), re.IGNORECASE)]
    starts, ends = [0, *(end for _, end in cuts)], [*(start for start, _ in cuts), len(text)]
    return [text[start:end].strip() for start, end in zip(starts, ends, strict=True)]


def _masked(text: str) -> str:
    """Return the text with a null for every character within quotes or parentheses.

    >>> _masked("x (y)").count("x"), _masked("x (y)").count("y")
    (1, 0)
    """
    depth, quoted, masked = 0, False, []
    for character in text:
        quoted ^= character == '"'
        depth += (character == "(") * (not quoted)
        masked.append("\0" if quoted or depth > 0 or character == '"' else character)
        depth -= (character == ")") * (not quoted)
    return "".join(masked)


def _is_enclosed(text: str) -> bool:
    return text.startswith("(") and text.endswith(")") and not _masked(text).strip("\0")
