"""One name read: its name after TG-263 with a confidence, or the reason why a person must look."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from intrepid_cohort.names.confidence import CONFIDENT, probability
from intrepid_cohort.names.lexicon import LANGUAGES, is_paired, sided, standard_names
from intrepid_cohort.names.matching import Match, best_matches
from intrepid_cohort.names.targets import dose_level_gy, target_type
from intrepid_cohort.names.vocabulary import is_kind, kinds, side_of, sides
from intrepid_cohort.names.words import fold, words
from intrepid_cohort.point_prescriptions import is_prescription_point

_ALL = frozenset(LANGUAGES)
_VERTEBRA = re.compile(
    r"(?:VB|WK|Vert|Vertebra|Wirbel|Corps)?[ _]?(?:(C|T|Th|D|L|S)|([HBLS])WK)[ _]?(\d{1,2})", re.ASCII
)
_VERTEBRAE = {"C": 7, "T": 12, "L": 5, "S": 5}
_MINUS = ("minus", "without", "ohne", "uden", "zonder", "senza", "sans", "hors", "excl", "exkl", "ex", "exclusive")
_DOSE = re.compile(r"(?:[vd][ _]?\d+(?:[.,]\d+)?|\[?\d+(?:[.,]\d+)?)\s*(?:c?gy|%|\[%\]|cc)?\]?|\[%\].*", re.IGNORECASE)
_LOW = 0.6  # below it, what was matched leaves words out
_UNREADABLE = 0.9  # of two like concepts, the one for which TG-263 has a name of this side
_DEVICE_TYPES = ("SUPPORT", "MARKER", "BOLUS", "FIXATION", "CONTRAST_AGENT", "REGISTRATION", "ISOCENTER", "CONTROL",
                 "BRACHY_CHANNEL", "BRACHY_ACCESSORY", "BRACHY_SRC_APP", "BRACHY_CHNL_SHLD")  # fmt: skip


@dataclass(frozen=True)
class Proposal:
    """What a name was read as.

    ``standard_name`` is None for helpers, devices and doses, and where nothing is alike; ``category`` is organ, target,
    external, helper, device, dose or unknown; ``confidence`` is the calibrated probability that both are right.
    """

    roi_name: str
    standard_name: str | None
    category: str
    confidence: float
    reason: str
    target_dose_gy: float | None = None
    candidates: tuple[tuple[str, float], ...] = field(default=())

    @property
    def is_confident(self) -> bool:
        """Whether the answer may be used without a person looking at it."""
        return self.confidence >= CONFIDENT


def propose(roi_name: str, *, interpreted_type: str = "", language: str = "") -> Proposal:
    """Read the name of a structure.

    Parameters
    ----------
    roi_name : as written.
    interpreted_type : RTROIInterpretedType, if known; it settles the outer contour and contradicts organs that are not.
    language : of the centre (en, de, da, it, nl, fr), if known: settles words that mean different things.

    Returns
    -------
    Proposal : abstains (low confidence, with candidates) where the name says too little or contradicts itself.
    """
    read = _read(roi_name.strip(), interpreted_type.upper(), language)
    return replace(read, confidence=probability(read.confidence))


def _read(name: str, kind: str, language: str) -> Proposal:
    if is_prescription_point(name):
        return Proposal(name, None, "dose", 0.98, "It is a prescription, written as the name of a point.")
    exact = {known.lower(): known for known in standard_names()}.get(name.lower())
    if kind == "EXTERNAL" and exact in ("Body", "External", "Skin"):
        exact = "External"
    if exact is not None and _is_category(exact):
        return Proposal(name, None, "unknown", 0.3, f"{exact} of TG-263 stands for a class of structures.")
    if exact is not None and not exact.endswith("x"):
        return Proposal(name, exact, _category(exact), 1.0, "It is a name of TG-263.")
    vertebra = _vertebra(name)
    if vertebra:
        return Proposal(name, vertebra, "organ", 0.97, "It is the usual short form of a vertebra.")
    found = _with_minus(words(name))
    if not any(word.isalpha() for word in found) or _DOSE.fullmatch(name):
        sure = 0.97 if _DOSE.fullmatch(name) and not name.isdigit() else 0.5
        return Proposal(name, None, "dose" if sure > 0.9 else "unknown", sure, "It holds a number but no structure.")
    if kind in _DEVICE_TYPES:
        return Proposal(name, None, "device", 0.98, f"Its type is {kind}.")
    if any(target_type(word) for word in found):
        return _with_target(name, found, kind, language)
    return _without_target(name, found, kind, language)


def _is_category(name: str) -> bool:
    """Whether a name of TG-263 stands for a class of structures, so that it names none."""
    return name in ("Bone", "LN", "Musc", "Spc", "Strct", "VB", "VBs", "Tendon", "Valve", "Nrv_Root", "Eval", "VB_C",
                    "VB_L", "VB_S", "VB_T", "LN_L", "LN_R", "Boost", "Lens", "Ventricle", "Atrium", "Rib")  # fmt: skip


def _category(name: str) -> str:
    if name in ("External", "Body"):
        return "external"
    target = standard_names().get(name)
    return {"Target": "target", "Non_Anatomic": "device"}.get(target or "Anatomic", "organ")


def _vertebra(name: str) -> str | None:
    found = _VERTEBRA.fullmatch(name)
    if found is None:
        return None
    letter, german, number = found.groups()
    region = {"Th": "T", "D": "T", None: {"H": "C", "B": "T", "L": "L", "S": "S"}.get(german or "")}.get(letter, letter)
    if region is None or not 1 <= int(number) <= _VERTEBRAE[region]:
        return None
    return f"VB_T{int(number):02d}" if region == "T" else f"VB_{region}{int(number)}"


def _with_minus(found: Sequence[str]) -> list[str]:
    return ["-" if word in _MINUS else word for word in found]


# Names with a target in them -----------------------------------------------------------------------------------------


def _with_target(name: str, found: list[str], kind: str, language: str) -> Proposal:
    place = next(i for i, word in enumerate(found) if target_type(word))
    target = target_type(found[place]) or ""
    others = [word for i, word in enumerate(found) if i != place]
    if any(is_kind(word, "helper") for word in others if word not in ("-", "of", "og")) or found[0] in ("z", "zz"):
        return Proposal(name, None, "helper", 0.97, "A word in it says that it is a helper.")
    if "-" in others:
        return _derived(name, found, place, target, language)
    if "+" in others or "mm" in others or "cm" in others:
        return Proposal(name, None, "helper", 0.95, f"It is a {target} with a margin.")
    if any(is_kind(word, "dose") or is_kind(word, "device") for word in others):
        return Proposal(name, None, "helper", 0.7, f"It names a {target} together with something else.")
    return _target(name, found, place, target, kind, language)


def _target(name: str, found: list[str], place: int, target: str, kind: str, language: str) -> Proposal:
    dose_gy = dose_level_gy(name)
    sure, reason = 0.98, f"It is a {target} by name."
    before = [word for word in found[:place] if word.isalpha() and word not in sides()]
    organ = best_matches(before, language=language, number=1)
    if organ and organ[0].score > 0.9:
        sure, reason = 0.75, f"It may be a {target}, or the part of an organ inside one."
    if re.search(r"[pcg]tv\w*-[a-z]{3}", name, re.IGNORECASE):
        sure, reason = 0.75, "The hyphen may be a minus."
    if kind and kind not in ("", target, "ITV", "GTV", "CTV", "PTV", "TREATED_VOLUME", "IRRAD_VOLUME", "ORGAN"):
        sure, reason = 0.8, f"It is a {target} by name but of type {kind}."
    return Proposal(name, target, "target", sure, reason, target_dose_gy=dose_gy, candidates=((target, sure),))


def _derived(name: str, found: list[str], place: int, target: str, language: str) -> Proposal:
    """Organ minus target; TG-263 names some of them."""
    minus = found.index("-")
    if minus < place and place == len(found) - 1:
        organ = _organ(name, found[:minus], "", language)
        wanted = f"{organ.standard_name}-{target}"
        if organ.confidence > 0.9 and wanted in standard_names():
            return replace(organ, standard_name=wanted, reason=f"{organ.reason} Minus {target}.")
    return Proposal(name, None, "helper", 0.96, "It is something minus something, which TG-263 does not name.")


# Names without a target ----------------------------------------------------------------------------------------------


def _without_target(name: str, found: list[str], kind: str, language: str) -> Proposal:
    plain = [word for word in found if word.isalpha()]
    whole = best_matches([word for word in plain if word not in sides()], language=language, number=1)
    known_whole = bool(whole) and whole[0].score >= 0.99
    if name[:1] in "zZ" and plain[0] in ("z", "zz", "zzz"):
        return Proposal(name, None, "helper", 0.98, "The z in front marks a helper.")
    if not known_whole:
        for word_kind, category in (("dose", "dose"), ("helper", "helper"), ("device", "device")):
            marked = [word for word in plain if is_kind(word, word_kind)]
            if marked:
                return Proposal(name, None, category, 0.97, f"The word {marked[0]!r} says so.")
        if any(_is_glued_helper(word) for word in plain):
            return Proposal(name, None, "helper", 0.97, "What is glued to a structure says that it is a helper.")
        if "-" in found and best_matches([w for w in found[found.index("-") :] if w.isalpha()], language=language):
            return Proposal(name, None, "helper", 0.95, "It is something minus something.")
        if all(is_kind(word, "region") or is_kind(word, "noise") or word in sides() for word in plain):
            return Proposal(name, None, "unknown", 0.4, "It names a region of the body, not a structure.")
    if any(is_kind(word, "unsided") for word in plain):
        return Proposal(name, None, "unknown", 0.4, "It tells the side relative to the target, not left or right.")
    return _organ(name, found, kind, language)


def _is_glued_helper(word: str) -> bool:
    """Whether a word is a structure with a helper's beginning: optirectum, ringptv, zbladder; but not optichiasm."""
    for glued in kinds()["glued_helper"][0]:
        rest = word.removeprefix(glued)
        if rest == word or len(rest) < 3:
            continue
        if target_type(rest):
            return True
        exact = best_matches([rest], number=1)
        if exact and exact[0].score >= 0.99 and not fold(exact[0].concept).startswith(glued):
            return True
    return False


def _organ(name: str, found: list[str], kind: str, language: str) -> Proposal:
    margin, rest = _margin(_without_glued_prv(found))
    if "%" in rest or any(word in ("gy", "cgy") for word in rest):
        return Proposal(name, None, "unknown", 0.5, "It names a dose together with a structure.")
    plain, number_left = _without_numbers(rest)
    matches = _matches(plain, language) or []
    if _may_hide_a_side(matches):
        matches = _matches_of_glued_side(plain, language) or matches
    if not matches:
        return Proposal(name, None, "unknown", 0.1, "Nothing in the lexicon is alike.")
    (match, side, penalty), *others = matches
    score = match.score * penalty * (0.95 if number_left else 1.0)
    rival = next((other for other, _, _ in others if other.concept != match.concept), None)
    if rival is not None and match.score - rival.score < 0.03:
        score *= 0.6
    standard, reason = _named(match, side, margin)
    candidates = tuple((candidate, round(m.score * p, 3)) for m, s, p in matches
                       if (candidate := _named(m, s, margin)[0]))[:3]  # fmt: skip
    if standard is None:
        return Proposal(name, None, "unknown", 0.3, reason, candidates=_either_side(match, candidates))
    category = _category(standard)
    if kind == "EXTERNAL":
        standard, category, score = ("External", "external", max(score, 0.97)) if category == "external" or (
            match.concept == "Skin") else (standard, category, 0.5)  # fmt: skip
    if kind in ("PTV", "CTV", "GTV"):
        score, reason = 0.5, f"It is called like an organ but of type {kind}."
    return Proposal(name, standard, category, score, reason, candidates=candidates)


def _either_side(match: Match, candidates: tuple[tuple[str, float], ...]) -> tuple[tuple[str, float], ...]:
    sides_of_it = tuple((name, 0.4) for side in "LR" if (name := sided(match.concept, side)))
    return sides_of_it or candidates


def _without_glued_prv(found: list[str]) -> list[str]:
    """Take apart "stemprv" and "prvbrainstem"."""
    apart: list[str] = []
    for word in found:
        rest = word.removeprefix("prv").removesuffix("prv")
        apart += [rest, "prv"] if rest and rest != word else [word]
    return apart


def _margin(found: list[str]) -> tuple[str, list[str]]:
    """Return the PRV ending of TG-263 (empty if it is no PRV) and the words without it."""
    if "prv" not in found and "+" not in found:
        return "", found
    rest = [word for word in found if word not in ("prv", "+", "mm", "cm", "margin")]
    numbers = [float(word.replace(",", ".")) for word in rest if word[0].isdigit()]
    rest = [word for word in rest if not word[0].isdigit()]
    if "+" in found and not numbers and "prv" not in found:
        return "", [word for word in found if word != "+"]  # "Lung L+R"
    if not numbers:
        return "_PRV", rest
    margin_mm = numbers[0] * (10 if "cm" in found or numbers[0] < 1 else 1)
    return (f"_PRV{margin_mm:02.0f}" if len(numbers) == 1 and 1 <= margin_mm <= 30 else "_PRV?"), rest


def _without_numbers(found: list[str]) -> tuple[list[str], bool]:
    numbers = [word for word in found if not word.isalpha()]
    return [word for word in found if word.isalpha()], bool(numbers)


def _matches(plain: list[str], language: str) -> list[tuple[Match, str, float]]:
    """Best concepts with the side (L, R, B, none, or ? for contradictions) and what the other words cost."""
    readings = []
    for rest, taken in _readings(plain):
        for match in best_matches(rest, language=language):
            side, penalty = _side(taken, match, language)
            readable = _named(match, side, "")[0] is not None
            readings.append((match, side, penalty * (1.0 if readable else _UNREADABLE)))
    readings.sort(key=lambda reading: (-reading[0].score * reading[2], reading[0].concept))
    return readings


def _may_hide_a_side(matches: list[tuple[Match, str, float]]) -> bool:
    """Whether nothing fits well, or what is only alike lacks its side: LPAROTID is like Parotid with a slip."""
    if not matches:
        return True
    match, side, _ = matches[0]
    return match.score < _LOW or (match.score < 0.99 and not side and is_paired(match.concept))


def _matches_of_glued_side(plain: list[str], language: str) -> list[tuple[Match, str, float]]:
    """Take a side off that is glued to the first or last word, if what is left is a known phrase."""
    if not plain or any(word in sides() for word in plain):
        return []
    for glued in ("lt", "rt", "l", "r"):
        for place, rest in ((0, plain[0].removeprefix(glued)), (-1, plain[-1].removesuffix(glued))):
            if len(rest) >= 3 and rest != plain[place]:
                kept = [rest, *plain[1:]] if place == 0 else [*plain[:-1], rest]
                found = [one for one in _matches([*kept, glued[0]], language) if one[0].score >= 0.99]
                if found:
                    return found
    return []


def _readings(plain: list[str]) -> list[tuple[list[str], list[str]]]:
    """Ways to tell words of the structure from words about it: all words kept, or sides and empty words taken out."""
    loose = [w for w in plain if w in sides() or is_kind(w, "both") or is_kind(w, "noise") or is_kind(w, "unsided")]
    firm = [word for word in plain if word not in loose]
    sides_only = [word for word in plain if word not in sides()]
    ways = [(plain, []), (sides_only, [w for w in plain if w in sides()]), (firm, loose)]
    return [(rest, taken) for rest, taken in ways if rest]


def _side(taken: list[str], match: Match, language: str) -> tuple[str, float]:
    languages = frozenset({language}) if language in match.languages else match.languages
    told, penalty = set(), 1.0
    for word in taken:
        side = side_of(word, languages)
        if side is not None:
            told.add(side)
        elif is_kind(word, "both"):
            told.add("B")
        elif not is_kind(word, "noise"):
            return "?", 0.5
        else:
            penalty *= 0.985
    if match.means_both:
        told.add("B")
    if told >= {"L", "R"}:
        return "B", 0.97 * penalty
    if len(told) > 1:
        return "?", 0.5
    return (told.pop() if told else ""), penalty


def _named(match: Match, side: str, margin: str) -> tuple[str | None, str]:
    concept = match.concept
    if side == "B" and not is_paired(concept):
        side = ""  # "liver total" is the liver
    if side == "?":
        return None, f"It is like {concept}, but what it says of the side cannot be understood."
    if margin == "_PRV?":
        return None, f"It is like {concept} with a margin that cannot be understood."
    base = sided(concept, side)
    if base is None:
        missing = "has no side in TG-263" if side in ("L", "R") else "needs a side" if not side else "has no plural"
        return None, f"It is like {concept}, which {missing}."
    if side == "" and is_paired(concept):
        return None, f"It is like {concept} but tells no side."
    if margin and side == "B":
        return None, f"TG-263 has no PRV of both sides of {concept}."
    name = f"{concept}{margin}_{side}" if margin and side else f"{base}{margin}"
    return name, f"It is like {concept} ({match.score:.2f})."


def language_of(names: Sequence[str]) -> str:
    """Return the language in which most names of a centre are, empty if none stands out.

    Only words that one language alone has count: ``Herz`` tells German, ``Parotis`` tells nothing.
    """
    votes: dict[str, int] = {}
    for name in names:
        matches = best_matches([w for w in words(name) if w.isalpha() and w not in sides()], number=1)
        if matches and matches[0].score >= 0.99 and len(matches[0].languages) == 1:
            (language,) = matches[0].languages
            votes[language] = votes.get(language, 0) + 1
    ranked = sorted(votes.items(), key=lambda vote: -vote[1])
    if not ranked or (len(ranked) > 1 and ranked[0][1] < 2 * ranked[1][1]):
        return ""
    return ranked[0][0]
