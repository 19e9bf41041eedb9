"""What one verification found: the doses, their comparison, the verdict and where every number came from.

The chain fills these records; report, scene and ``results.json`` only read them. A quantity that could not be
computed is ``None`` with a reason beside it, never 0 or NaN.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from intrepid_rt.beam_frame import BeamFrame
from intrepid_rt.day_anatomy import DayAnatomy
from intrepid_rt.grids import CTGrid, DoseGrid
from intrepid_rt.portal_image import PortalImage
from intrepid_rt.structures import StructureSet

VerdictStatus = Literal["pass", "fail", "not judged"]


@dataclass(frozen=True, eq=False)
class GammaOutcome:
    """One gamma comparison; the reference is always the plan, the evaluated one what was measured or reconstructed.

    Parameters
    ----------
    dose_percent, distance_mm : float
        Criteria; the dose criterion is ``dose_percent`` of ``norm_gy`` (global).
    norm_gy, cutoff_percent : float
        Normalisation dose and the low-dose cut-off in percent of it, both on the reference.
    pass_rate_percent : float or None
        ``100 n_passed / n_points``; None if nothing was compared, then ``reason`` says why.
    n_points, n_passed, n_missing : int
        Reference points analysed, passed, and without evaluated dose (these count as failed).
    gamma : ndarray or None
        On the reference grid, (nz, ny, nx) or (rows, columns); NaN where not analysed.
    limit_percent : float or None
        The pass rate demanded by the verdict; None if this comparison is for information.
    region : str
        Where points were analysed, e.g. "BODY".
    """

    dose_percent: float
    distance_mm: float
    norm_gy: float | None = None
    cutoff_percent: float = 10.0
    pass_rate_percent: float | None = None
    n_points: int = 0
    n_passed: int = 0
    n_missing: int = 0
    mean_gamma: float | None = None
    max_gamma: float | None = None
    gamma: NDArray | None = None
    reason: str = ""
    limit_percent: float | None = None
    region: str = ""

    @property
    def criteria(self) -> str:
        """The criteria as physicists write them.

        >>> GammaOutcome(3, 2.5).criteria
        '3 % / 2.5 mm'
        """
        return f"{self.dose_percent:g} % / {self.distance_mm:g} mm"


@dataclass(frozen=True)
class ErrorCause:
    """What makes an image differ from its prediction, and the evidence for it in a sentence."""

    name: str
    evidence: str


@dataclass(frozen=True, eq=False)
class ForwardCheck:
    """The portal dose of a beam predicted by our own physics from plan and CT, against the measured one.

    ``causes`` is empty where both agree. Without a prediction everything is empty and ``reason`` says why.

    ``causes_sought`` is False where they cannot be told, e.g. for an arc with frames lost; ``notes`` say why.
    """

    predicted: PortalImage | None = None
    gamma: tuple[GammaOutcome, ...] = ()
    causes: tuple[ErrorCause, ...] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    reason: str = ""
    causes_sought: bool = True


@dataclass(frozen=True)
class DeliverySummary:
    """How many frames made up the image of a beam, how many were lost or stored twice, and by what they were placed."""

    frames: int
    dropped: int = 0
    doubled: int = 0
    placed_by: str = ""  # empty where all frames share one direction


@dataclass(frozen=True, eq=False)
class PortalPart:
    """Portal dose of a stretch of an arc, from one cumulative meterset weight to another."""

    begin_weight: float
    end_weight: float
    portal_dose: PortalImage


@dataclass(frozen=True, eq=False)
class BeamResult:
    """One beam: what the imager saw and the dose that was reconstructed from it.

    ``epid`` is the calibrated signal, ``portal_dose`` and ``planned_portal_dose`` lie in the imager plane (Gy, or
    relative if the verification is), ``gamma_2d`` compares these two. ``frame`` is the gantry system of the image.
    ``planned_portal_source`` says where the planned portal dose comes from, ``delivery`` tells of the frames of a beam
    that was imaged in parts. ``frame`` of an arc is that of its first control point. ``dose_uncertainty`` is the
    half-width of the 95 % band of the dose, None where no model states one. ``portal_parts`` of an arc add up to
    ``portal_dose``, on coarser pixels.
    """

    number: int
    name: str
    gantry_angle_deg: float
    meterset_mu: float | None
    frame: BeamFrame
    portal_dose: PortalImage
    dose: DoseGrid
    epid: PortalImage | None = None
    planned_portal_dose: PortalImage | None = None
    gamma_2d: tuple[GammaOutcome, ...] = ()
    portal_image_file: str = ""
    portal_image_sop_uid: str = ""
    collimator_angle_deg: float | None = None
    couch_angle_deg: float | None = None
    machine: str = ""
    notes: tuple[str, ...] = ()
    planned_portal_source: str = ""
    forward_check: ForwardCheck | None = None
    delivery: DeliverySummary | None = None
    dose_uncertainty: DoseGrid | None = None
    portal_parts: tuple[PortalPart, ...] = ()

    @property
    def isocentre_lps_mm(self) -> NDArray:
        """Isocentre (3,), LPS mm."""
        return self.frame.isocentre_lps_mm

    @property
    def source_lps_mm(self) -> NDArray:
        """Radiation source (3,), LPS mm."""
        return self.frame.source_lps_mm


@dataclass(frozen=True, eq=False)
class DoseVolumeCurve:
    """Cumulative dose-volume histogram of one structure in one dose.

    Parameters
    ----------
    dose_gy : ndarray, (n,)
        Ascending dose.
    volume_cc : ndarray, (n,)
        Volume that receives at least this dose; not increasing.
    """

    dose_gy: NDArray
    volume_cc: NDArray
    min_gy: float | None = None
    mean_gy: float | None = None
    max_gy: float | None = None

    @property
    def volume_percent(self) -> NDArray:
        """Volume in percent of the first (total) value.

        >>> DoseVolumeCurve(np.array([0.0, 1.0, 2.0]), np.array([8.0, 4.0, 0.0])).volume_percent
        array([100.,  50.,   0.])
        """
        volume = np.asarray(self.volume_cc, float)
        return 100.0 * volume / volume[0]


@dataclass(frozen=True)
class MetricOutcome:
    """One DVH metric of one structure in both doses, e.g. "D95%" in Gy; an absent value has a ``reason``."""

    metric: str
    unit: str
    planned: float | None = None
    reconstructed: float | None = None
    reason: str = ""


@dataclass(frozen=True, eq=False)
class StructureResult:
    """Dose-volume histograms of one structure; ``planned`` is None without a planned dose, both for an empty ROI."""

    name: str
    colour_rgb: tuple[int, int, int]
    volume_cc: float | None = None
    volume_outside_dose_cc: float | None = None
    planned: DoseVolumeCurve | None = None
    reconstructed: DoseVolumeCurve | None = None
    metrics: tuple[MetricOutcome, ...] = ()
    interpreted_type: str = ""
    reason: str = ""


@dataclass(frozen=True)
class ConstraintOutcome:
    """One dose constraint and whether planned and reconstructed dose comply; None with a ``reason`` if not judged.

    ``observed`` and ``compliance`` are of the reconstructed, ``planned_*`` of the planned dose. ``delta`` and
    ``distance`` say how far the observed value is from the constraint, as `intrepid dvh` reports them.
    """

    structure: str
    constraint: str
    unit: str = ""
    observed: float | None = None
    planned_observed: float | None = None
    compliance: bool | None = None
    planned_compliance: bool | None = None
    delta: float | None = None
    distance: float | None = None
    reason: str = ""


@dataclass(frozen=True, eq=False)
class PointDose:
    """Dose at one point in both distributions; ``ratio`` is reconstructed over planned (R at the isocentre)."""

    name: str
    position_lps_mm: NDArray
    reconstructed_gy: float | None
    planned_gy: float | None = None
    ratio: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Verdict:
    """The judgement, with every reason for it in a sentence a physicist can check."""

    status: VerdictStatus
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class PatientIdentity:
    """Who was treated. Only the report, the scene and DICOM outputs show it; its repr says nothing, so no log does."""

    patient_id: str = field(default="", repr=False)
    name: str = field(default="", repr=False)
    birth_date: str = field(default="", repr=False)
    sex: str = field(default="", repr=False)


@dataclass(frozen=True)
class PlanIdentity:
    """Which plan was verified; dates are DICOM DA (YYYYMMDD), UIDs as in the files, empty if not stated."""

    label: str
    sop_instance_uid: str = ""
    name: str = ""
    date: str = ""
    approval: str = ""
    prescription_gy: float | None = None
    fractions_planned: int | None = None
    patient_position: str = ""
    study_instance_uid: str = ""
    study_date: str = ""
    study_description: str = ""
    structure_set_uid: str = ""
    frame_of_reference_uid: str = ""


@dataclass(frozen=True)
class ProfileIdentity:
    """Which machine profile turned signal into dose; ``sha256`` is of the profile's file."""

    name: str
    sha256: str = ""
    energy: str = ""
    valid_for: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class InputObject:
    """One input: its role (e.g. "RTPLAN"), file name, SOP instance (or series) UID and SHA-256 of its bytes."""

    role: str
    file: str
    uid: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class Provenance:
    """Everything needed to repeat the computation."""

    created: str = ""  # ISO 8601 with time zone
    versions: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[InputObject, ...] = ()
    device: str = ""
    model: str = ""


@dataclass(frozen=True, eq=False)
class VerificationResult:
    """One verified plan, complete.

    ``reconstructed`` is the sum over beams for one fraction, on the grid of ``planned`` if there is one. ``planned`` is
    the planned dose scaled to the same number of fractions, or None with ``planned_reason``. ``gamma_3d`` maps lie on
    the grid of ``planned``. ``day`` is the anatomy that was irradiated where it is not the planning CT; the doses are
    carried from it to the planning CT. ``fraction`` names the imaged one as the images do. With ``is_relative`` doses
    are relative to the plan at the isocentre: no Gy, no limits.
    """

    patient: PatientIdentity
    plan: PlanIdentity
    profile: ProfileIdentity
    anatomy: CTGrid
    structure_set: StructureSet | None
    beams: tuple[BeamResult, ...]
    reconstructed: DoseGrid
    planned: DoseGrid | None = None
    planned_reason: str = ""
    planned_dose_uid: str = ""
    ct_series_uid: str = ""
    is_relative: bool = False
    gamma_3d: tuple[GammaOutcome, ...] = ()
    structures: tuple[StructureResult, ...] = ()
    constraints: tuple[ConstraintOutcome, ...] = ()
    points: tuple[PointDose, ...] = ()
    verdict: Verdict = field(default_factory=lambda: Verdict("not judged", ("No verdict was formed.",)))
    warnings: tuple[str, ...] = ()
    provenance: Provenance = field(default_factory=Provenance)
    seconds: Mapping[str, float] = field(default_factory=dict)
    day: DayAnatomy | None = None
    fraction: str = ""

    @property
    def dose_uncertainty(self) -> DoseGrid | None:
        """Half-width of the 95 % band of ``reconstructed``: the sum over beams, whose errors may all point one way.

        None if a beam has none.
        """
        bands = [beam.dose_uncertainty for beam in self.beams]
        if not bands or any(band is None for band in bands):
            return None
        return self.reconstructed.with_values(np.add.reduce([band.values for band in bands if band is not None]))

    @property
    def dose_uncertainty_percent(self) -> float | None:
        """Mean half-width of the band where the dose is above 80 % of its maximum, percent of the maximum."""
        band, dose = self.dose_uncertainty, self.reconstructed.values
        return None if band is None else float(100 * band.values[dose > 0.8 * dose.max()].mean() / dose.max())

    @property
    def dose_unit(self) -> str:
        """Unit of the doses: "Gy", or "relative" when they are normalised to the plan."""
        return "relative" if self.is_relative else "Gy"

    @property
    def isocentre_lps_mm(self) -> NDArray:
        """Isocentre of the first beam (3,), LPS mm; the centre of the reconstructed dose grid if there is no beam."""
        if self.beams:
            return self.beams[0].isocentre_lps_mm
        return self.reconstructed.index_to_position((np.array(self.reconstructed.shape[::-1]) - 1) / 2)
