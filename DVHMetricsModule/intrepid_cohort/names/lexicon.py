"""The names of TG-263 and what clinics call them, as tables that a name can be compared with."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from intrepid_cohort.names.words import words

_HERE = Path(__file__).parent
LANGUAGES = ("en", "de", "da", "it", "nl", "fr")

# Plurals of TG-263 that are not the name with an s.
_BOTH = {"Hippocampus": "Hippocampi", "Ovary": "Ovaries", "Glnd_Submand": "Glnd_Submands", "Eye": "Eyes"}


@dataclass(frozen=True)
class Phrase:
    """One way to call a concept, the languages in which it is said, and whether it counts only there."""

    concept: str
    words: tuple[str, ...]
    languages: frozenset[str]
    means_both: bool = False
    only_there: bool = False

    @property
    def joined(self) -> str:
        """The phrase in one word, sorted as written."""
        return "".join(self.words)


@cache
def standard_names() -> dict[str, str]:
    """Names of TG-263 (worksheet of 15 August 2017) and their target type: Anatomic, Target, Derived, PRV, ...

    Source: Mayo et al., IJROBP 100 (2018) 1057, doi 10.1016/j.ijrobp.2017.12.013, AAPM Task Group 263, spelled as
    published.
    """
    with (_HERE / "tg263.csv").open(encoding="utf-8", newline="") as file:
        return {row["name"]: row["target_type"] for row in csv.DictReader(file)}


def sided(concept: str, side: str) -> str | None:
    """Return the name of one side (L, R), of both (B) or of the concept as such (empty), None if TG-263 has none.

    >>> sided("Lung", "L"), sided("Lung", "B"), sided("Lung", ""), sided("Heart", ""), sided("Heart", "L")
    ('Lung_L', 'Lungs', None, 'Heart', None)
    """
    known = standard_names()
    if side == "B":
        wanted = _BOTH.get(concept, f"{concept}s")
        return wanted if wanted in known else None
    wanted = f"{concept}_{side}" if side else concept
    return wanted if wanted in known else None


def is_paired(concept: str) -> bool:
    """Whether TG-263 tells the sides of a concept apart."""
    return sided(concept, "L") is not None


@cache
def phrases() -> tuple[Phrase, ...]:
    """All ways to call a concept: the lexicon, and the names of TG-263 themselves."""
    return tuple(dict.fromkeys((*_from_lexicon(), *_from_standard())))


def _from_lexicon() -> Iterator[Phrase]:
    for line in (_HERE / "lexicon.txt").read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        concept, *groups = (part.strip() for part in line.split("|"))
        for group in groups:
            language, listed = group.split(":", 1)
            spoken = frozenset(LANGUAGES) if language == "x" else frozenset({language})
            for written in listed.split(","):
                text = written.strip()
                yield Phrase(
                    concept, tuple(words(text.rstrip("+!"))), spoken, text.endswith("+"), text.endswith("!")
                )  # fmt: skip


def _from_standard() -> Iterator[Phrase]:
    plurals = {sided(name[:-2], "B") for name in standard_names() if name.endswith("_L")}
    for name, kind in standard_names().items():
        concept = name[:-2] if name.endswith(("_L", "_R")) else name
        # A single word of TG-263 is often a category ("Bone", "LN", "Spc"), which is no answer to anything longer.
        if kind == "Anatomic" and name not in plurals and name != "Prosthesis":
            yield Phrase(concept, tuple(words(concept)), frozenset({"en"}))
