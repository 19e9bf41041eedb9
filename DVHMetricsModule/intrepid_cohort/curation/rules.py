"""The rules of a curation: a small file that people read, JSON or TOML, refused whole if one word of it is unknown."""

import hashlib
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from intrepid_rt.errors import InvalidSetting, MissingObject
from intrepid_rt.small_files import read_small_bytes

Positive = Annotated[float, msgspec.Meta(ge=0.0)]
Range = tuple[float, float]


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of the rules; unknown words are refused."""


class PlanRules(_Strict, frozen=True):
    """Which plan is the main one."""

    ignore_labels: tuple[str, ...] = ("*QA*", "*verif*", "*phantom*")
    """Plans whose label is like one of these are left out; * stands for anything, case does not matter."""
    choose_by: tuple[Literal["approved", "delivered", "first", "last"], ...] = ("approved", "delivered", "first")
    """Applied one after the other until one plan remains; a step that tells nothing is passed over."""
    approved_only: bool = False
    """Patients without an approved main plan are excluded."""
    adaptations: Literal["dominant", "sum"] = "dominant"
    """Of several delivered versions of the main plan: the dose of the chosen one for all fractions, or the sum."""


class BoostRules(_Strict, frozen=True):
    """Which plans are a boost, and how their dose is added."""

    labels: tuple[str, ...] = ("*boost*", "*bst*")
    same_images: Literal["sum", "leave out"] = "sum"
    other_images: Literal["scale", "exclude", "leave out"] = "scale"
    """On another frame of reference doses cannot be summed: the main dose is scaled by the prescriptions instead."""


class FractionRules(_Strict, frozen=True):
    """How many fractions were delivered."""

    sources: tuple[Literal["CSV", "RTRECORD"], ...] = ("CSV", "RTRECORD")
    """In this order."""
    unknown: Literal["as planned", "exclude", "review"] = "as planned"
    scale: bool = True
    """Whether doses are scaled by delivered over planned fractions."""
    least_percent: Positive = 0.0
    """Patients who received less of the main plan's fractions are excluded."""


class InclusionRules(_Strict, frozen=True):
    """Who belongs to the cohort; each that is not met excludes, with its reason, in this order."""

    sex: tuple[str, ...] = ()
    study_years: Range | None = None
    prescription_gy: Range | None = None
    fractions: Range | None = None
    laterality: tuple[Literal["left", "right", "bilateral", "midline"], ...] = ()
    structures: tuple[str, ...] = ()
    """Names after TG-263 that must be there, by the mapping of names; X_? stands for one of either side."""


class LateralityRules(_Strict, frozen=True):
    """How the side of the target is told: from the dose in two organs and from where the PTV lies."""

    method: Literal["none", "dose", "geometry", "dose and geometry"] = "none"
    left_organ: str = "Lung_L"
    right_organ: str = "Lung_R"
    ratio: Positive = 1.25
    """Mean doses that differ by less than this factor are of a bilateral target."""
    offset_mm: Positive = 20.0
    """A PTV nearer to the middle of the body than this is midline."""


class DoseRules(_Strict, frozen=True):
    """How doses are summed."""

    least_gy: Positive = 1.0
    """A dose whose maximum is below is none of a treatment: a test, or relative."""
    save_folder: str | None = None
    """Where the sums are written as RTDOSE; nowhere by default."""


class AugmentedSet(_Strict, frozen=True):
    """A structure set drawn beside the clinical one: it gets DVHs in the treatment's dose too."""

    source: str
    label: str = "*"
    manufacturer: str = "*"


class Rules(_Strict, frozen=True):
    """All rules of one collection."""

    name: str
    description: str = ""
    plans: PlanRules = PlanRules()
    boost: BoostRules = BoostRules()
    fractions: FractionRules = FractionRules()
    include: InclusionRules = InclusionRules()
    laterality: LateralityRules = LateralityRules()
    dose: DoseRules = DoseRules()
    augmented: tuple[AugmentedSet, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the rules with their defaults as plain values."""
        return msgspec.to_builtins(self)

    @property
    def sha256(self) -> str:
        """Hash of the rules, defaults filled in."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()


def read_rules(path: str | Path) -> Rules:
    """Read rules from a .json or .toml file.

    Raises
    ------
    MissingObject
        There is no such file.
    InvalidSetting
        It cannot be read, or says something that the rules do not know.
    """
    path = Path(path)
    if not path.exists():
        raise MissingObject(f"{path} cannot be read: it is not there. Give a file with rules.")
    raw = read_small_bytes(path)
    try:
        if path.suffix.lower() == ".toml":
            return msgspec.convert(tomllib.loads(raw.decode("utf-8")), Rules)
        return msgspec.json.decode(raw, type=Rules)
    except (
        msgspec.ValidationError,
        msgspec.DecodeError,
        tomllib.TOMLDecodeError,
        UnicodeDecodeError,
        RecursionError,
    ) as error:
        raise InvalidSetting(
            f"{path} holds no rules: {error}. The schema is printed by: intrepid cohort curate --schema"
        ) from error


def rules_schema() -> dict[str, Any]:
    """Return the JSON schema of the rules."""
    return msgspec.json.schema(Rules)
