"""What all tables share: naming of constraints, commented columns, rows that die with their parent."""

from typing import Any

from sqlalchemy import ForeignKey, MetaData
from sqlalchemy.orm import DeclarativeBase, MappedColumn, mapped_column

# Stated names, so that a later migration can address a constraint on any database.
_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(naming_convention=_CONVENTION)


def column(comment: str, *types: Any, time: bool = False, **known: Any) -> MappedColumn:
    """Return a column with its entry in the data dictionary; ``time`` keeps it out of the canonical export."""
    return mapped_column(*types, comment=comment, info={"time": time}, **known)


def parent(target: str, comment: str, *, primary_key: bool = False) -> MappedColumn:
    """Return the key of the row that this one belongs to and is deleted with."""
    foreign = ForeignKey(f"{target}.id", ondelete="CASCADE")
    return mapped_column(foreign, comment=comment, primary_key=primary_key, index=None if primary_key else True)
