"""A complete verification made by formulas: a thorax of ellipses, two beams, everything report and scene can show.

The numbers are consistent with each other (a DVH is that of the doses, a pass rate that of its gamma map), but the
dose model is a toy. Nothing here is symmetric: spacings differ, the grid is off centre, the target is in one lung.
"""

from dataclasses import replace

import numpy as np
from scipy.special import erf

from intrepid_rt.beam_frame import BeamFrame, beam_frame
from intrepid_rt.grids import CTGrid, DoseGrid, Grid, affine_from_axes
from intrepid_rt.portal_image import PortalImage
from intrepid_rt.structures import Structure, StructureSet
from intrepid_rt.verification import (
    BeamResult,
    ConstraintOutcome,
    DoseVolumeCurve,
    GammaOutcome,
    InputObject,
    MetricOutcome,
    PatientIdentity,
    PlanIdentity,
    PointDose,
    ProfileIdentity,
    Provenance,
    StructureResult,
    Verdict,
    VerificationResult,
)

FRAME_UID = "1.2.826.0.1.3680043.10.999.1"
CENTRE_MM = np.array([12.0, -180.0, 215.0])  # of the patient, LPS
ISOCENTRE_MM = np.add(CENTRE_MM, (-72.0, 8.0, 6.0))  # in the right lung
# Name, offset from the patient's centre, semi-axes, HU, colour, type; later ones are drawn over earlier ones.
ELLIPSOIDS = (
    ("BODY", (0, 0, 0), (165, 105, 400), 0, (0, 220, 120), "EXTERNAL"),
    ("Lung_R", (-72, -8, 0), (58, 68, 95), -720, (90, 160, 255), "ORGAN"),
    ("Lung_L", (74, -8, 0), (55, 68, 95), -720, (60, 110, 230), "ORGAN"),
    ("Heart", (22, -38, -25), (42, 34, 42), 40, (240, 90, 160), "ORGAN"),
    ("SpinalCord", (2, 62, 0), (7, 7, 400), 30, (255, 220, 40), "ORGAN"),
    ("PTV", (-72, 8, 6), (25, 22, 24), 20, (230, 30, 30), "PTV"),
)
BONES = (((2, 68, 0), (20, 24, 400)), ((0, -88, 0), (14, 8, 400)))
FIELD_HALF_MM = (32.0, 30.0)
SHIFT_MM = 2.6  # of the delivered against the planned field, in the isocentre plane


def ellipsoid(positions, offset_mm, semi_axes_mm):
    """Whether LPS positions (..., 3) lie in an ellipsoid given relative to the patient's centre."""
    return (((positions - CENTRE_MM - offset_mm) / semi_axes_mm) ** 2).sum(axis=-1) <= 1.0


def anatomy(*, reversed_slices: bool = False) -> CTGrid:
    """CT of 104 x 74 x 48 voxels of 3.4 x 3.1 x 4 mm; with ``reversed_slices`` stored from head to foot."""
    affine = affine_from_axes(CENTRE_MM - (177.0, 114.0, 94.0), (3.4, 3.1, 4.0))
    grid = CTGrid(np.zeros((48, 74, 104), np.float32), affine, FRAME_UID)
    positions = grid.positions()
    hounsfield = np.full(grid.shape, -1000.0)
    for _, offset, semi_axes, value, *_ in ELLIPSOIDS:
        hounsfield[ellipsoid(positions, offset, semi_axes)] = value
    for offset, semi_axes in BONES:
        hounsfield[ellipsoid(positions, offset, semi_axes)] = 700
    hounsfield[ellipsoid(positions, *ELLIPSOIDS[4][1:3])] = ELLIPSOIDS[4][3]
    hounsfield += np.random.default_rng(7).normal(0.0, 12.0, grid.shape)
    if not reversed_slices:
        return grid.with_values(hounsfield.round().astype(np.int16))
    flip = np.diag([1.0, 1.0, -1.0, 1.0])
    flip[2, 3] = grid.shape[0] - 1
    return CTGrid(hounsfield[::-1].round().astype(np.int16), affine @ flip, FRAME_UID)


def structure_set() -> StructureSet:
    """Contours of the ellipsoids on the CT's slices, 72 points each."""
    angle = np.linspace(0.0, 2 * np.pi, 72, endpoint=False)
    structures = []
    for number, (name, offset, semi_axes, _, colour, kind) in enumerate(ELLIPSOIDS, start=1):
        contours = []
        for z_mm in CENTRE_MM[2] - 94.0 + 4.0 * np.arange(48):
            scale = 1.0 - ((z_mm - CENTRE_MM[2] - offset[2]) / semi_axes[2]) ** 2
            if scale > 0:
                x = CENTRE_MM[0] + offset[0] + semi_axes[0] * np.sqrt(scale) * np.cos(angle)
                y = CENTRE_MM[1] + offset[1] + semi_axes[1] * np.sqrt(scale) * np.sin(angle)
                contours.append(np.column_stack([x, y, np.full_like(x, z_mm)]))
        structures.append(Structure(name, number + 10, tuple(contours), (), kind, colour, FRAME_UID))
    structures.append(Structure("Couch", 99, (), (), "SUPPORT", (128, 128, 128), FRAME_UID))
    return StructureSet("SYNTHETIC", "1.2.826.0.1.3680043.10.999.4", FRAME_UID, tuple(structures), "1.2.3.4.5")


def edge(coordinate_mm, half_mm, penumbra_mm):
    """Return a smooth field edge on both sides of a strip."""
    return 0.5 * (erf((half_mm - coordinate_mm) / penumbra_mm) + erf((half_mm + coordinate_mm) / penumbra_mm))


def beam_dose(frame: BeamFrame, grid: Grid, peak_gy: float, *, shift_mm: float = 0.0) -> DoseGrid:
    """Toy dose: divergent field with soft edges, exponential decrease with depth below an ellipse of water."""
    positions = grid.positions()
    x, y, z = np.moveaxis(frame.to_gantry(positions), -1, 0)
    scale = frame.source_to_axis_mm / (frame.source_to_axis_mm - z)
    field = edge(x * scale + shift_mm, FIELD_HALF_MM[0], 5.0) * edge(y * scale, FIELD_HALF_MM[1], 5.0)
    depth_mm = chord_to_surface(positions, frame.towards_source)
    build_up = 1.0 - 0.75 * np.exp(-depth_mm / 4.0)
    scatter = 0.03 * edge(x * scale, 60.0, 40.0) * edge(y * scale, 60.0, 40.0)
    dose = peak_gy * (field + scatter) * build_up * np.exp(-0.0042 * depth_mm) * scale**2 * 1.55
    return DoseGrid(np.where(depth_mm > 0, dose, 0.002 * peak_gy).astype(np.float32), grid.index_to_lps, FRAME_UID)


def chord_to_surface(positions, direction) -> np.ndarray:
    """Distance in mm along ``direction`` to the body's elliptic cylinder; 0 outside."""
    semi_axes = np.array([165.0, 105.0])
    at, step = (positions - CENTRE_MM)[..., :2] / semi_axes, np.asarray(direction)[:2] / semi_axes
    a, b, c = step @ step, at @ step, (at**2).sum(axis=-1) - 1.0
    root = (-b + np.sqrt(np.maximum(b**2 - a * c, 0.0))) / a
    return np.where(c <= 0, root, 0.0)


def dose_lattice() -> Grid:
    """Dose grid of 92 x 62 x 44 voxels of 3.5 x 3.5 x 4 mm that does not share the CT's voxel centres."""
    return Grid(np.zeros((44, 62, 92), np.float32), affine_from_axes(CENTRE_MM - (160, 107, 86.5), (3.5, 3.5, 4.0)))


def portal_image(frame: BeamFrame, gantry_angle_deg: float, peak: float, unit: str, *, shift_mm=0.0) -> PortalImage:
    """Imager at 1500 mm, 96 x 120 pixels of 2.6 x 2.5 mm, not centred on the beam."""
    blank = PortalImage(np.zeros((96, 120)), (-140.0, 128.0), (2.6, 2.5), 1500.0, 1000.0, gantry_angle_deg, unit)
    x, y = np.meshgrid(blank.x_mm, blank.y_mm)
    field = edge(x / 1.5 + shift_mm, FIELD_HALF_MM[0], 4.0) * edge(y / 1.5, FIELD_HALF_MM[1], 4.0)
    tumour = np.hypot(x / 1.5 / 25.0, y / 1.5 / 24.0)
    lung = 1.0 - 0.28 * np.sqrt(np.maximum(1.0 - tumour**2, 0.0))
    rng = np.random.default_rng(int(gantry_angle_deg) + 1)
    values = peak * (field * lung + 0.02) * (1.0 + 0.006 * rng.standard_normal(x.shape))
    return blank.with_values(values.astype(np.float32))


def gamma_outcome(reference, evaluated, spacing_mm, dose_percent, distance_mm, *, where=True, **extra) -> GammaOutcome:
    """Gamma of two nearby distributions by the linear formula: difference over the gradient's share of the criteria."""
    reference, evaluated = np.asarray(reference, float), np.asarray(evaluated, float)
    norm_gy = float(reference.max())
    slope = np.sqrt(sum(g**2 for g in np.gradient(reference, *spacing_mm)))
    criterion = np.hypot(norm_gy * dose_percent / 100.0, slope * distance_mm)
    gamma = np.where((reference >= 0.1 * norm_gy) & where, np.abs(evaluated - reference) / criterion, np.nan)
    points = gamma[np.isfinite(gamma)]
    passed = int((points <= 1.0).sum())
    return GammaOutcome(
        dose_percent,
        distance_mm,
        norm_gy=norm_gy,
        pass_rate_percent=100.0 * passed / points.size,
        n_points=points.size,
        n_passed=passed,
        mean_gamma=float(points.mean()),
        max_gamma=float(points.max()),
        gamma=gamma.astype(np.float32),
        **extra,
    )


def curve(dose: DoseGrid, inside) -> DoseVolumeCurve:
    """Cumulative DVH of the voxels ``inside`` on 0.05 Gy steps."""
    doses = np.sort(dose.dose_gy[inside])
    edges = np.arange(0.0, dose.dose_gy.max() + 0.05, 0.05)
    volume = (doses.size - np.searchsorted(doses, edges)) * dose.voxel_volume_cc
    return DoseVolumeCurve(edges, volume, float(doses[0]), float(doses.mean()), float(doses[-1]))


def beam_result(number, name, gantry_angle_deg, meterset_mu, lattice, error) -> tuple[BeamResult, DoseGrid]:
    """One beam and its planned dose; ``error`` is the relative output error put into what was delivered."""
    frame = beam_frame(gantry_angle_deg, ISOCENTRE_MM)
    planned_image = portal_image(frame, gantry_angle_deg, 0.62, "Gy")
    image = planned_image.with_values(
        portal_image(frame, gantry_angle_deg, 0.62 * (1 + error), "Gy", shift_mm=SHIFT_MM).values
    )
    signal = image.with_values(image.values * 91_000.0, unit="signal")
    outcomes = tuple(
        gamma_outcome(planned_image.values, image.values, (2.6, 2.5), percent, distance)
        for percent, distance in ((3, 3), (3, 2), (2, 2))
    )
    beam = BeamResult(
        number,
        name,
        gantry_angle_deg,
        meterset_mu,
        frame,
        image,
        beam_dose(frame, lattice, 1.0 * (1 + error), shift_mm=SHIFT_MM),
        epid=signal,
        planned_portal_dose=planned_image,
        gamma_2d=outcomes,
        portal_image_file=f"RI_{name}.dcm",
        portal_image_sop_uid=f"1.2.826.0.1.3680043.10.999.7.{number}",
        collimator_angle_deg=0.0,
        couch_angle_deg=0.0,
        machine="LINAC_1",
        notes=("No reference to a beam: matched by gantry angle and machine.",) if number == 2 else (),
    )
    return beam, beam_dose(frame, lattice, 1.0)


def structure_result(structure: Structure, planned: DoseGrid, reconstructed: DoseGrid) -> StructureResult:
    """DVHs of one structure from the voxel centres of the dose grid."""
    if structure.is_empty:
        return StructureResult(structure.name, structure.colour_rgb, reason="The structure has no contour.")
    offset, semi_axes = next(e[1:3] for e in ELLIPSOIDS if e[0] == structure.name)
    inside = ellipsoid(planned.positions(), offset, semi_axes)
    before, after = curve(planned, inside), curve(reconstructed, inside)
    metrics = tuple(
        MetricOutcome(
            f"D{p}%", "Gy", *(float(np.percentile(d.dose_gy[inside], 100 - p)) for d in (planned, reconstructed))
        )
        for p in (98, 50, 2)
    )
    volume_cc = float(before.volume_cc[0])
    return StructureResult(
        structure.name,
        structure.colour_rgb,
        volume_cc=volume_cc,
        volume_outside_dose_cc=31.4 if structure.name == "BODY" else 0.0,
        planned=before,
        reconstructed=after,
        metrics=metrics,
        interpreted_type=structure.interpreted_type,
    )


def constraints(structures) -> tuple[ConstraintOutcome, ...]:
    """Four constraints: kept, kept, broken, and one that cannot be judged."""
    by_name = {s.name: s for s in structures}

    def d_max(name, limit_gy):
        planned, observed = by_name[name].planned.max_gy, by_name[name].reconstructed.max_gy
        return ConstraintOutcome(
            name, f"DMAX < {limit_gy:g}Gy", "Gy", observed, planned, observed < limit_gy, planned < limit_gy,
            observed - limit_gy, abs(observed - limit_gy),
        )  # fmt: skip

    ptv = by_name["PTV"].metrics[0]
    return (
        ConstraintOutcome(
            "PTV", "D98% > 1.9Gy", "Gy", ptv.reconstructed, ptv.planned, ptv.reconstructed > 1.9, ptv.planned > 1.9,
            ptv.reconstructed - 1.9, abs(ptv.reconstructed - 1.9),
        ),
        d_max("SpinalCord", 1.5),
        d_max("Heart", 0.7),
        ConstraintOutcome("Oesophagus", "DMEAN < 1.2Gy", reason="No structure of this name in the structure set."),
    )  # fmt: skip


def synthetic_result(*, output_error: float = 0.035, reversed_slices: bool = False) -> VerificationResult:
    """Build the whole record: two beams, the second ``output_error`` too strong, both shifted by 2.6 mm."""
    lattice = dose_lattice()
    beams, planned_beams = zip(
        beam_result(1, "AP", 0.0, 104.0, lattice, output_error / 2),
        beam_result(2, "Lat <270>", 270.0, 96.5, lattice, output_error),
        strict=True,
    )
    planned = planned_beams[0].with_values(sum(d.dose_gy for d in planned_beams))
    reconstructed = planned.with_values(sum(b.dose.dose_gy for b in beams))
    inside = ellipsoid(planned.positions(), *ELLIPSOIDS[0][1:3])
    gamma_3d = tuple(
        gamma_outcome(
            planned.dose_gy, reconstructed.dose_gy, planned.spacing_mm[::-1], percent, distance,
            where=inside, region="BODY", limit_percent=95.0 if (percent, distance) == (3, 3) else None,
        )
        for percent, distance in ((3, 3), (3, 2), (2, 2))
    )  # fmt: skip
    contours = structure_set()
    structures = tuple(structure_result(s, planned, reconstructed) for s in contours.structures)
    judged = constraints(structures)
    at_plan, at_measured = (float(d.sample([ISOCENTRE_MM])[0]) for d in (planned, reconstructed))
    return VerificationResult(
        patient=PatientIdentity("SYN-0001", "Synthetic^Thorax", "19500101", "O"),
        plan=PlanIdentity(
            "LUNG_SBRT_2F", "1.2.826.0.1.3680043.10.999.5", "Lung right", "20261101", "APPROVED", 2.0 * 25, 25,
            "HFS", "1.2.826.0.1.3680043.10.999.6", "20261030", "Synthetic study", contours.sop_instance_uid, FRAME_UID,
        ),
        profile=ProfileIdentity("LINAC_1_6MV", "4f1c" * 16, "6 MV", {"field side": "20-200 mm"}),
        anatomy=anatomy(reversed_slices=reversed_slices),
        structure_set=contours,
        beams=beams,
        reconstructed=reconstructed,
        planned=planned,
        planned_dose_uid="1.2.826.0.1.3680043.10.999.8",
        ct_series_uid="1.2.3.4.5",
        gamma_3d=gamma_3d,
        structures=structures,
        constraints=judged,
        points=(PointDose("Isocentre", ISOCENTRE_MM, at_measured, at_plan, at_measured / at_plan),),
        verdict=verdict(gamma_3d[0], judged),
        warnings=("Beam 2: the image names no beam; it was matched by gantry angle (270.0 deg) and machine.",),
        provenance=provenance(),
        seconds={"read": 0.8, "portal dose": 1.9, "back-projection": 6.4, "gamma": 3.1, "dvh": 1.2},
    )  # fmt: skip


def verdict(gamma: GammaOutcome, judged) -> Verdict:
    """Fail if the gamma limit or a constraint is broken."""
    broken = [f"{c.structure} {c.constraint}: {c.observed:.2f} Gy." for c in judged if c.compliance is False]
    met = gamma.pass_rate_percent >= gamma.limit_percent
    first = (
        f"3D gamma {gamma.criteria} in BODY: {gamma.pass_rate_percent:.1f} % of {gamma.n_points} points pass; "
        f"{gamma.limit_percent:g} % demanded."
    )
    return Verdict("pass" if met and not broken else "fail", (first, *broken))


def provenance() -> Provenance:
    """Versions, settings and inputs as the chain would state them."""
    return Provenance(
        created="2026-11-22T04:10:00+00:00",
        versions={"slicer-intrepid": "0.1.0", "numpy": "2.4.6", "pydicom": "3.0.2", "Python": "3.11.7"},
        settings={"grid": "planned dose", "norm": "maximum", "criteria": "3/3,3/2,2/2"},
        inputs=(
            InputObject("CT", "CT/ (48 files)", "1.2.3.4.5", "9b1d" * 16),
            InputObject("RTPLAN", "RP.dcm", "1.2.826.0.1.3680043.10.999.5", "77aa" * 16),
            InputObject("RTIMAGE", "RI_AP.dcm", "1.2.826.0.1.3680043.10.999.7.1", "01fe" * 16),
        ),
        device="cpu",
        model="physics",
    )


def without_plan(result: VerificationResult) -> VerificationResult:
    """Return the same verification without any planned dose, portal or 3D: nothing compared, nothing judged."""
    reason = "The study holds no RTDOSE of this plan, so there is nothing to compare with."
    return replace(
        result,
        planned=None,
        planned_reason=reason,
        gamma_3d=(GammaOutcome(3, 3, reason=reason),),
        beams=tuple(replace(b, planned_portal_dose=None, gamma_2d=()) for b in result.beams),
        structures=tuple(
            replace(s, planned=None, metrics=tuple(replace(m, planned=None) for m in s.metrics))
            for s in result.structures
        ),
        constraints=tuple(replace(c, planned_observed=None, planned_compliance=None) for c in result.constraints),
        points=tuple(replace(p, planned_gy=None, ratio=None, reason=reason) for p in result.points),
        verdict=Verdict("not judged", (reason,)),
    )
