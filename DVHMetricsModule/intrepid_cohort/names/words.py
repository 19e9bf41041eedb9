"""A structure name as a list of plain words: no case, no accents, no punctuation, camel case and numbers apart."""

import re
import unicodedata

# Letters that Unicode does not take apart, and the usual ways to spell umlauts without them: one form for all.
_LETTERS = str.maketrans({"æ": "a", "ø": "o", "å": "a", "ß": "ss", "œ": "o", "đ": "d", "ł": "l"})
_SPELLED = (("ae", "a"), ("oe", "o"), ("ue", "u"), ("aa", "a"))

# "LungL", "SpinalCord", "LLens", "RTLung"; but not "PTVs", whose last letter is no word.
_CAMEL = re.compile(r"(?<=[a-zß-ÿœ])(?=[A-ZÀ-Þ])|(?<=[A-ZÀ-Þ])(?=[A-ZÀ-Þ][a-zß-ÿœ]{2})")
_PARTS = re.compile(r"[a-z]+|\d+(?:[.,]\d+)?|[%+\-]")


def fold(text: str) -> str:
    """Return text in small letters without accents; spelled-out umlauts become the same letters.

    >>> fold("Rückenmark"), fold("Rueckenmark"), fold("Blære"), fold("Cœur")
    ('ruckenmark', 'ruckenmark', 'blare', 'cour')
    """
    plain = unicodedata.normalize("NFKD", text.lower().translate(_LETTERS))
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    for spelled, letter in _SPELLED:
        plain = plain.replace(spelled, letter)
    return plain


def words(name: str) -> list[str]:
    """Return the folded words, numbers and the signs ``+ - %`` of a name.

    A hyphen between letters joins or separates, so it is dropped; with spaces around it, or before a target's name, it
    is a minus and stays.

    >>> words("Lungs-PTV"), words("Cord+5mm"), words("Sous-mandibulaire D"), words("LLens")
    (['lungs', '-', 'ptv'], ['cord', '+', '5', 'mm'], ['sous', 'mandibulaire', 'd'], ['l', 'lens'])
    """
    # Composed first: a name may come with its accents as letters of their own, which would cut words in two.
    spaced = _CAMEL.sub(" ", unicodedata.normalize("NFC", name))
    plain = fold(spaced.replace("_", " "))
    plain = re.sub(r"-(?=\s*[a-z]?(?:ptv|ctv|gtv|itv))|\s-\s", " \0 ", plain)
    plain = plain.replace("-", " ").replace("\0", "-")
    return _PARTS.findall(plain)
