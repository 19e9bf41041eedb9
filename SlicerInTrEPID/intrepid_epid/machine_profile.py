"""The machine profile: everything that was measured or stated about one treatment machine and its imager."""

import hashlib
import re
from pathlib import Path

import msgspec
import numpy as np

from intrepid_epid.quality.records import QualityBaseline
from intrepid_rt.atomic import replacing
from intrepid_rt.errors import UnreadableFile
from intrepid_rt.small_files import read_struct

SCHEMA = "intrepid-machine-profile/1"
MOST_SOFTENING_PERCENT_PER_CM = 2.0  # 0.5 at 6 MV and 0.8 at 25 MV are published (see off_axis.py)


class SpreadTerm(msgspec.Struct, frozen=True):
    """One exponential of the signal-to-dose kernel, in the imager plane."""

    width_mm: float
    gy_per_signal: float


class RadialFactor(msgspec.Struct, frozen=True):
    """Residual response by distance from the beam axis, at the isocentre plane."""

    radius_mm: float
    factor: float


class SpectrumBin(msgspec.Struct, frozen=True):
    """Relative number of photons in an energy bin."""

    low_mev: float
    high_mev: float
    weight: float


class CTCurvePoint(msgspec.Struct, frozen=True):
    """One point of the CT calibration."""

    hu: float
    density_g_cc: float
    relative_electron_density: float


class FieldRecord(msgspec.Struct, frozen=True):
    """One commissioning field: what was measured and how well the profile describes it."""

    name: str
    area_cm2: float
    meterset_mu: float
    mean_signal: float
    mean_dose_gy: float
    residual_percent: float
    image_sha256: str


class Validity(msgspec.Struct, frozen=True):
    """The range the commissioning fields cover; outside it a result carries a warning."""

    source_to_image_mm: tuple[float, float]
    meterset_mu: tuple[float, float]
    area_cm2: tuple[float, float]
    off_axis_mm: float


class MachineProfile(msgspec.Struct, frozen=True, kw_only=True):
    """Calibration of one machine, energy and imager.

    ``spread`` turns an image of signal into absorbed dose to water in a water phantom at ``dose_depth_mm`` depth, in
    the imager plane. ``fields`` state mean signal and dose per field, from which output by area follows.

    ``horns`` are the open beam's fluence off the axis relative to that on it, ``softening_percent_per_cm`` is how much
    more the softer beam is attenuated per centimetre off the axis (at the isocentre plane); both only where they were
    measured or given. They serve the prediction from plan to image.
    """

    schema: str = SCHEMA
    machine: str
    energy: str
    created: str
    software_version: str
    source_to_axis_mm: float
    source_to_image_mm: float
    dose_depth_mm: float
    spread: tuple[SpreadTerm, ...]
    radial_factors: tuple[RadialFactor, ...]
    fields: tuple[FieldRecord, ...]
    valid_for: Validity
    spectrum: tuple[SpectrumBin, ...] = ()
    spectrum_source: str = ""
    ct_curve: tuple[CTCurvePoint, ...] = ()
    ct_curve_source: str = ""
    quality: QualityBaseline | None = None
    horns: tuple[RadialFactor, ...] = ()
    softening_percent_per_cm: float = 0.0

    def hash(self) -> str:
        """SHA-256 of what results are computed with, stated with every one of them; constancy's baseline is not."""
        content = msgspec.to_builtins(self)
        del content["quality"]
        # A profile without them keeps the hash it had before they were known.
        for option in ("horns", "softening_percent_per_cm"):
            if not content[option]:
                del content[option]
        return hashlib.sha256(msgspec.json.encode(content)).hexdigest()

    @property
    def megavolts(self) -> float | None:
        """The number in the name of the energy, e.g. 6 of "6 MV FFF"; None without one."""
        found = re.search(r"\d+(\.\d+)?", self.energy)
        return float(found[0]) if found else None

    @property
    def n_fields(self) -> int:
        """Number of commissioning fields."""
        return len(self.fields)

    @property
    def open_gy_per_mu(self) -> float | None:
        """Mean portal dose per MU in the open field nearest to 10 x 10 cm2; None for a stand-in without fields."""
        if not self.fields:
            return None
        field = min(self.fields, key=lambda one: abs(one.area_cm2 - 100.0))
        return field.mean_dose_gy / field.meterset_mu

    def worst_residual_percent(self) -> float:
        """Return the largest residual of all commissioning fields."""
        return max(abs(field.residual_percent) for field in self.fields)


def relative_profile(machine: str) -> MachineProfile:
    """Return a stand-in for a machine without profile: the signal itself, to be normalised and called relative."""
    return MachineProfile(
        machine=machine,
        energy="unknown",
        created="",
        software_version="",
        source_to_axis_mm=0.0,
        source_to_image_mm=0.0,
        dose_depth_mm=0.0,
        spread=(SpreadTerm(0.0, 1.0),),
        radial_factors=(),
        fields=(),
        valid_for=Validity((0.0, 0.0), (0.0, 0.0), (0.0, 0.0), 0.0),
    )


def save_profile(profile: MachineProfile, path: str | Path) -> None:
    """Write a profile as indented JSON."""
    with replacing(path) as temporary:
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(profile), indent=2) + b"\n")


def load_profile(path: str | Path) -> MachineProfile:
    """Read a machine profile.

    Raises
    ------
    UnreadableFile
        The file is missing, no JSON, not a profile of this schema, or of numbers that make no sense; the message names
        the first wrong entry.
    """
    path = Path(path)
    profile = read_struct(
        path,
        MachineProfile,
        complaint="not a machine profile",
        advice="Make one with 'intrepid commission FOLDER --out PROFILE.json'.",
    )
    if profile.schema != SCHEMA:
        raise UnreadableFile(f"{path}: profile schema {profile.schema!r} found, {SCHEMA!r} expected. Commission anew.")
    problem = _problem(profile)
    if problem:
        raise UnreadableFile(f"{path}: the machine profile {problem}. Make it anew with 'intrepid commission'.")
    return profile


def _problem(profile: MachineProfile) -> str:
    """Say what makes a profile unusable although it is well formed; empty if nothing does."""
    distances = np.array([profile.source_to_axis_mm, profile.source_to_image_mm, profile.dose_depth_mm])
    kernel = np.array([(term.width_mm, term.gy_per_signal) for term in profile.spread]).reshape(-1, 2)
    radial, horns = (
        np.array([(point.radius_mm, point.factor) for point in points]).reshape(-1, 2)
        for points in (profile.radial_factors, profile.horns)
    )
    bins = np.array([(b.low_mev, b.high_mev, b.weight) for b in profile.spectrum]).reshape(-1, 3)
    softening = np.array([profile.softening_percent_per_cm])
    if not all(np.isfinite(numbers).all() for numbers in (distances, kernel, radial, horns, bins, softening)):
        return "holds a number that is not finite"
    if not profile.fields:
        return "names no commissioning field"
    if (distances <= 0).any():
        return "states a distance that is not positive"
    if (kernel[:, 0] < 0).any() or kernel[:, 1].sum() <= 0:
        return "has a kernel that gives no dose"
    if any((np.diff(points[:, 0]) <= 0).any() or (points[:, 1] <= 0).any() for points in (radial, horns)):
        return "has radial factors or horns that are not positive at ascending radii"
    if not 0 <= profile.softening_percent_per_cm <= MOST_SOFTENING_PERCENT_PER_CM:
        return f"states a softening of {profile.softening_percent_per_cm:g} % per cm, which no beam has"
    if len(bins) and ((bins < 0).any() or (bins[:, 1] <= bins[:, 0]).any() or bins[:, 2].sum() <= 0):
        return "has a spectrum without photons or with reversed bins"
    return ""
