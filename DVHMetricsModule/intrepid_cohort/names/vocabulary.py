"""Words that make a structure a helper, a device or a dose, that tell sides, or that tell nothing."""

from functools import cache
from pathlib import Path

from intrepid_cohort.names.words import fold

_FILE = Path(__file__).with_name("vocabulary.txt")

# Sides by language; "*" counts in all. A single letter means a side only together with a word of its language:
# D is right in French, Italian and Danish (dexter), S is left in Italian and Danish (sinister), H and V are Danish.
_LEFT = {
    "*": "l lt lft left li lks links linke linker linkes sin sinist sinister sinistra sinistro sx sn izq",
    "da": "v ve ven vens venst venstre vst vs s",
    "fr": "g gche gch gau gauche ga",
    "it": "s sx sn sini sinistre sinistri",
    "de": "lin",
    "nl": "lin l",
}
_RIGHT = {
    "*": "r rt rgt right re rechts rechte rechter rechtes dx dxt dex dext dexter dextra dextro destra destro der",
    "da": "h ho hoj hojre hjre hoyre ho d",
    "fr": "d dr dt dte drt droit droite dro",
    "it": "d ds des dest destre destri",
    "de": "rec rech",
    "nl": "rec rech",
}


@cache
def kinds() -> dict[str, tuple[frozenset[str], tuple[str, ...]]]:
    """Return for each kind of word the whole words and the beginnings."""
    found = {}
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            kind, listed = line.split(":", 1)
            entries = [fold(entry) for entry in listed.split()]
            found[kind] = (
                frozenset(entry for entry in entries if not entry.endswith("*")),
                tuple(entry[:-1] for entry in entries if entry.endswith("*")),
            )
    return found


def is_kind(word: str, kind: str) -> bool:
    """Whether a folded word is of a kind.

    >>> is_kind("hilfsring", "helper"), is_kind("couch", "device"), is_kind("heart", "helper")
    (True, True, False)
    """
    whole, beginnings = kinds()[kind]
    return word in whole or word.startswith(beginnings)


@cache
def sides() -> dict[str, dict[str, str]]:
    """Return word -> language -> L or R; language ``*`` counts in all."""
    found: dict[str, dict[str, str]] = {}
    for side, by_language in (("L", _LEFT), ("R", _RIGHT)):
        for language, listed in by_language.items():
            for word in listed.split():
                found.setdefault(word, {})[language] = side
    return found


def side_of(word: str, languages: frozenset[str]) -> str | None:
    """Return L or R if the word says so in all languages that the rest of the name may be in; None if it does not.

    >>> side_of("d", frozenset({"fr"})), side_of("d", frozenset({"en"})), side_of("re", frozenset({"en", "de"}))
    ('R', None, 'R')
    """
    known = sides().get(word, {})
    if "*" in known:
        return known["*"]
    told = {known[language] for language in languages if language in known}
    return told.pop() if len(told) == 1 else None
