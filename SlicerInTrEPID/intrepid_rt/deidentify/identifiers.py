"""The identifiers of a set of objects: collected, looked for in text and bytes, cut out of labels.

An identifier is a sequence of runs of letters and digits: "Doe^Jane" is (doe, jane) and is found in "doe, Jane" and in
"DOE_JANE" as well. That is wider than looking for its exact bytes between two characters that are neither.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from intrepid_rt.deidentify.profile import Options
from intrepid_rt.deidentify.secret_key import SecretKey

SHORTEST = 4
_LONG_NUMBER = 12
_UMLAUTS = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss", "ø": "oe", "å": "aa"}
)
_RUN = re.compile(rb"[0-9a-z]+")
# UIDs, mail addresses, dates and runs of five digits in a label identify somebody more often than they help.
_NUMBERS = re.compile(
    r"[0-9]+(?:[.][0-9]+){3,}|(?<![0-9])(?:[0-9]{5,}|[0-9]{1,4}[-./][0-9]{1,2}[-./][0-9]{1,4})(?![0-9])|\S+@\S+"
)
# Words that DICOM objects of radiotherapy hold for other reasons than that a person bears them.
_TERMS = frozenset(
    re.findall(
        r"\w+",
        """
        original primary derived secondary axial portal plan beam fraction treatment setup patient physical gy cgy
        linear normal external organ ptv gtv ctv oar body site target volume point coordinates closed planar open
        head feet neck chest abdomen pelvis breast lung brain prostate spine heart eye lens cord organs photon
        electron static dynamic none asymx asymy mlcx mlcy elekta varian siemens philips accuray brainlab raysearch
        eclipse monaco pinnacle medical systems linac approved unapproved rejected female male other dose image
        rtimage rtdose rtplan rtstruct small avoidance monochrome monochrome2 isocenter isocentre control support
        couch bolus contrast marker fixation signal user intrepid manual automatic semiautomatic high absorbed
        single multi record group total field drr radiograph simulator fluence relative absolute machine accelerator
        gantry cone real main boost reference intersection anonymous anonymized anonymised deidentified unknown
        """,
    )
)
_OWN_WORDS = frozenset(
    word.lower() for _, meaning in Options().codes() for word in re.findall(r"\w+", meaning)
)  # stands in each output


def runs(data: str | bytes) -> list[bytes]:
    """Split into runs of ASCII letters and digits, in lower case."""
    return _RUN.findall((data.encode() if isinstance(data, str) else data).lower())


@dataclass
class Identifiers:
    """What may occur nowhere in the output; ``key`` makes what stands in its place in labels."""

    key: SecretKey
    _strong: dict[bytes, set[tuple[bytes, ...]]] = field(default_factory=lambda: defaultdict(set))
    _weak: dict[bytes, set[tuple[bytes, ...]]] = field(default_factory=lambda: defaultdict(set))
    _words: set[str] = field(default_factory=set)
    _other_scripts: set[str] = field(default_factory=set)
    _pattern: re.Pattern[str] | None = None

    def add(self, text: str, *, is_number: bool = False) -> None:
        """Add one identifier as a whole; with fewer than four characters it is only cut out of labels.

        UIDs and dates (``is_number``) are cut out of labels by their form, whosever they are.
        """
        text = text.strip()
        sequence = tuple(runs(text))
        if text and not is_number:
            self._words.add(text.lower())
            self._pattern = None
        if not sequence:
            # A name in another script has no runs; two of its signs are a name.
            self._other_scripts.update({text} if len(text) >= 2 and not text.isascii() else ())
            return
        if len(text) >= SHORTEST:
            # Short numbers and common terms also stand for something else: they are looked for in texts only.
            has_letter = re.search(rb"[a-z]", b"".join(sequence)) is not None
            is_term = all(run.decode() in _TERMS | _OWN_WORDS for run in sequence)
            is_weak = is_term or (not has_letter and len(text) < _LONG_NUMBER)
            (self._weak if is_weak else self._strong)[max(sequence, key=len)].add(sequence)

    def add_name(self, name: str) -> None:
        """Add a person's name and each of its parts of two letters or more, also without accents and as ae, oe, ue."""
        bare = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
        for written in {name, name.translate(_UMLAUTS), bare}:
            self.add(written)
            for part in re.split(r"[\^=,\s\-'.()]+", written):
                if len(part) >= 2:
                    self.add(part)

    def __len__(self) -> int:
        tables = (self._strong, self._weak)
        return len(self._other_scripts) + sum(len(found) for table in tables for found in table.values())

    def in_bytes(self, data: bytes) -> int:
        """Count identifiers other than common terms and short numbers."""
        return sum(1 for _ in _occurrences(runs(data), self._strong))

    def in_text(self, text: str) -> int:
        """Count all identifiers."""
        found = runs(text)
        other = sum(name in text for name in self._other_scripts)
        return other + sum(1 for table in (self._strong, self._weak) for _ in _occurrences(found, table))

    def cut_from(self, text: str) -> str:
        """Replace identifiers, dates, long numbers and mail addresses in a label by an X with three hexadecimal digits.

        The digits depend on what was there, so that two beams named after two persons keep different names.

        >>> known = Identifiers(SecretKey(bytes(32)))
        >>> known.add_name("Miller^Jo Ann")
        >>> known.cut_from("PTVMiller_jo 50Gy 12.03.1961"), known.cut_from("Lung_R")
        ('PTVX9db_X06b 50Gy X9c5', 'Lung_R')
        """
        self._pattern = self._pattern or _any_of(self._words)
        cut = self._pattern.sub(self._stand_in, _NUMBERS.sub(self._stand_in, text))
        # What separates the parts of an identifier may differ: a last look with the eyes of the check.
        return cut if not self.in_text(cut) else self.key.stand_in(text)

    def _stand_in(self, found: re.Match[str]) -> str:
        return self.key.stand_in(found[0])

    def term(self, text: str) -> bool:
        """Whether a code value is free of identifiers, common terms aside."""
        return not any(_occurrences(runs(text), self._strong)) and not any(name in text for name in self._other_scripts)


def _any_of(words: set[str]) -> re.Pattern[str]:
    # A long name is cut out of "PTVMiller" too; a short one only where it stands alone, lest "Li" hits "Liver".
    longest_first = sorted(words, key=len, reverse=True)
    anywhere = "|".join(re.escape(word) for word in longest_first if len(word) >= 6)
    alone = "|".join(re.escape(word) for word in longest_first if len(word) < 6)
    return re.compile(rf"(?:{anywhere or '(?!)'})|(?<![^\W_])(?:{alone or '(?!)'})(?![^\W_])", re.IGNORECASE)


def _occurrences(found: list[bytes], table: dict[bytes, set[tuple[bytes, ...]]]) -> Iterator[tuple[bytes, ...]]:
    # Sequences are filed under their longest run: half of all UIDs begin with 1.2, and contours are full of ones.
    for index, run in enumerate(found):
        for sequence in table.get(run, ()):
            start = index - sequence.index(run)
            if start >= 0 and tuple(found[start : start + len(sequence)]) == sequence:
                yield sequence
