"""Which concept of the lexicon some words mean: exactly, as one word, with a slip of the pen, or cut short."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from intrepid_cohort.names.lexicon import Phrase, phrases

# How sure each way of agreeing is, before anything is known of the rest of the name.
_EXACT, _JOINED, _SHORTENED, _MISSPELT, _LEFTOVER = 1.0, 0.99, 0.93, 0.94, 0.55
_SHORTEST_MISSPELT = 5


@dataclass(frozen=True)
class Match:
    """A concept, how well it agrees (0 to 1), the languages in which it was said, and whether it means both sides."""

    concept: str
    score: float
    languages: frozenset[str]
    means_both: bool


def best_matches(found: Sequence[str], *, language: str = "", number: int = 3) -> list[Match]:
    """Return the best concepts for folded words, best first; none if nothing is alike.

    >>> best_matches(["speiserohre"])[0].concept, best_matches(["esophogus"])[0].score < 1
    ('Esophagus', True)
    """
    by_concept: dict[str, Match] = {}
    # What agrees exactly has no rival among what is only alike, and most names do.
    for phrase in _exact(tuple(found)) or phrases():
        if phrase.only_there and language not in phrase.languages:
            continue
        score = _agreement(tuple(found), phrase)
        known = by_concept.get(phrase.concept)
        if score and (known is None or score >= known.score):
            languages = phrase.languages | (known.languages if known and known.score == score else frozenset())
            both = phrase.means_both and not (known and known.score == score and not known.means_both)
            by_concept[phrase.concept] = Match(phrase.concept, score, languages, both)
    return sorted(by_concept.values(), key=lambda match: (-match.score, match.concept))[:number]


def _exact(found: tuple[str, ...]) -> list[Phrase]:
    index = _index()
    return index.get(tuple(sorted(found)), []) + index.get(("".join(found),), []) if found else []


@cache
def _index() -> dict[tuple[str, ...], list[Phrase]]:
    """Phrases by their words in order of the alphabet, and by the same in one word."""
    index: dict[tuple[str, ...], list[Phrase]] = {}
    for phrase in phrases():
        for key in {tuple(sorted(phrase.words)), (phrase.joined,)}:
            index.setdefault(key, []).append(phrase)
    return index


def _agreement(found: tuple[str, ...], phrase: Phrase) -> float:
    if not found:
        return 0.0
    if sorted(found) == sorted(phrase.words):
        return _EXACT
    joined = "".join(found)
    if joined == phrase.joined:
        return _JOINED
    # A letter of its own is a side or an initial, no slip at the end of a word: "hjerte v" is not "hjertet".
    one_word = 0.0 if any(len(word) == 1 for word in found) else _as_one_word(joined, phrase.joined)
    return max(_word_by_word(found, phrase.words), one_word)


def _word_by_word(found: Sequence[str], wanted: Sequence[str]) -> float:
    """Each wanted word must be there; words that are left over tell of something else."""
    left, total = list(found), 0.0
    for word in wanted:
        alike = [(_alike(other, word, len(wanted)), other) for other in left]
        score, other = max(alike, default=(0.0, ""))
        if not score:
            return 0.0
        left.remove(other)
        total += score
    return total / len(wanted) * _LEFTOVER ** len(left)


@cache
def _alike(found: str, wanted: str, words: int) -> float:
    if found == wanted:
        return _EXACT
    if len(found) >= (3 if words > 1 else 4) and len(wanted) - len(found) >= 2 and wanted.startswith(found):
        return _SHORTENED
    return _misspelt(found, wanted)


def _as_one_word(found: str, wanted: str) -> float:
    """One slip only: two would swallow a short word that means something."""
    return _misspelt(found, wanted, most=1) if len(wanted) > _SHORTEST_MISSPELT + 1 else 0.0


def _misspelt(found: str, wanted: str, most: int = 2) -> float:
    """One slip in words of five letters, two in words of nine; never the first letter of a short one."""
    from rapidfuzz.distance import OSA

    shorter = min(len(found), len(wanted))
    if shorter < _SHORTEST_MISSPELT or (shorter < 7 and found[0] != wanted[0]):
        return 0.0
    allowed = min(most, 2 if shorter >= 9 else 1)
    slips = OSA.distance(found, wanted, score_cutoff=allowed)
    return 0.0 if slips > allowed else _MISSPELT - 0.04 * (slips - 1) - (0.02 if shorter < 6 else 0.0)
