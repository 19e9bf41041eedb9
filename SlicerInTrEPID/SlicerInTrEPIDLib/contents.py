"""What a verification's scene holds, node by node."""

from collections import Counter
from typing import Any

import numpy as np

from intrepid_rt.grids import Grid
from intrepid_rt.verification import BeamResult, GammaOutcome, VerificationResult
from SlicerInTrEPIDLib.day import add_day
from SlicerInTrEPIDLib.drr import radiograph
from SlicerInTrEPIDLib.hierarchy import RT, Hierarchy
from SlicerInTrEPIDLib.layout import UNCERTAINTY
from SlicerInTrEPIDLib.portal import add_portal_sheet, add_portal_volume, pixel_to_lps
from SlicerInTrEPIDLib.segmentation import add_segmentation
from SlicerInTrEPIDLib.tables import DvhTables, add_table
from SlicerInTrEPIDLib.views import set_views
from SlicerInTrEPIDLib.volumes import add_colours, add_grid, add_volume, colour_ramp, show

OURS = "InTrEPID."
DOSE_STOPS = (
    (0.0, (0.1, 0.1, 0.6)),
    (0.25, (0.0, 0.6, 0.9)),
    (0.5, (0.1, 0.8, 0.3)),
    (0.75, (1.0, 0.9, 0.1)),
    (1.0, (0.9, 0.1, 0.1)),
)
# Green passes, red fails; the change lies at gamma 1, the middle of the window 0 to 2.
GAMMA_STOPS = ((0.0, (0.0, 0.45, 0.15)), (0.499, (0.75, 0.95, 0.6)), (0.5, (1.0, 0.75, 0.2)), (1.0, (0.75, 0.0, 0.0)))
GREY_STOPS = ((0.0, (0.0, 0.0, 0.0)), (1.0, (1.0, 1.0, 1.0)))
RADIOGRAPH_STOPS = ((0.0, (0.1, 0.9, 0.3)), (1.0, (0.0, 0.0, 0.0)))  # green over the grey portal image
MAX_GAMMA_SHOWN = 2.0


class Palette:
    """The colour tables of the scene."""

    def __init__(self, scene: Any) -> None:
        self.dose = add_colours(scene, "InTrEPID_Dose", colour_ramp(DOSE_STOPS))
        self.gamma = add_colours(scene, "Gamma_ColorTable", colour_ramp(GAMMA_STOPS))
        self.radiograph = add_colours(scene, "InTrEPID_Radiograph", colour_ramp(RADIOGRAPH_STOPS))
        self.grey = add_colours(scene, "InTrEPID_Grey", colour_ramp(GREY_STOPS))


def fill_scene(scene: Any, result: VerificationResult) -> list[str]:
    """Fill an empty or used MRML scene; return what could not be put there, one sentence each."""
    tree, palette = Hierarchy(scene, result), Palette(scene)
    ct = add_grid(scene, result.anatomy, "CT")
    show(ct, window=(-1000.0, 400.0))
    tree.place(ct, modality="CT", series_uid=result.ct_series_uid)
    maximum = float(np.nanmax((result.planned or result.reconstructed).values)) or 1.0
    reconstructed = _add_dose(scene, tree, palette, result.reconstructed, "Dose reconstructed", maximum)
    if result.dose_uncertainty is not None:
        _add_band(scene, tree, palette, result.dose_uncertainty, maximum)
    planned = None
    if result.planned is not None:
        planned = _add_dose(
            scene, tree, palette, result.planned, "Dose planned", maximum, instance_uid=result.planned_dose_uid
        )
        for outcome in result.gamma_3d:
            _add_gamma_volume(scene, tree, palette, outcome, result.planned.index_to_lps, planned, reconstructed)
    left_out = _add_structures(scene, tree, result, ct, planned, reconstructed)
    beams = tree.folder("Beams")
    for beam in result.beams:
        _add_beam(scene, tree, palette, beam, beams, maximum, result.day.ct if result.day else result.anatomy)
    if result.day is not None:
        add_day(scene, tree, result.day, palette.dose, maximum, planning=result.anatomy)
    _add_summary(scene, tree, result)
    set_views(scene, result.isocentre_lps_mm, background=ct, foreground=reconstructed)
    return left_out


def _add_dose(
    scene: Any, tree: Hierarchy, palette: Palette, dose: Any, name: str, maximum: float, *,
    parent: int | None = None, instance_uid: str = "",
) -> Any:  # fmt: skip
    node = add_grid(scene, dose, name)
    node.SetAttribute(RT + "DoseVolume", "1")
    show(node, window=(0.0, 1.1 * maximum), colours=palette.dose, hide_below=0.05 * maximum)
    tree.place(node, parent=parent, modality="RTDOSE", instance_uid=instance_uid, referenced_uid=tree.plan_uid)
    return node


def _add_band(scene: Any, tree: Hierarchy, palette: Palette, band: Grid, maximum: float) -> None:
    # Not marked as a dose: in every dose selector of SlicerRT it would be a trap.
    node = add_grid(scene, band, UNCERTAINTY)
    show(node, window=(0.0, 0.1 * maximum), colours=palette.dose, hide_below=1e-3 * maximum)
    tree.place(node)


def _add_gamma_volume(
    scene: Any,
    tree: Hierarchy,
    palette: Palette,
    outcome: GammaOutcome,
    index_to_lps: Any,
    planned: Any,
    measured: Any,
    *,
    name: str = "Gamma",
    parent: int | None = None,
) -> None:
    if outcome.gamma is None:
        return
    values = np.nan_to_num(outcome.gamma, nan=0.0).astype(np.float32)  # SlicerRT: 0 where nothing was analysed
    values = values if values.ndim == 3 else values[None]
    node = add_volume(
        scene, values, index_to_lps, f"{name} {outcome.dose_percent:g} percent {outcome.distance_mm:g} mm"
    )
    node.SetAttribute("DoseComparison.GammaVolume", "1")
    node.SetNodeReferenceID("referenceDoseVolumeRef", planned.GetID())
    node.SetNodeReferenceID("compareDoseVolumeRef", measured.GetID())
    _set_numbers(
        node,
        {
            "DosePercent": outcome.dose_percent,
            "DistanceMm": outcome.distance_mm,
            "NormGy": outcome.norm_gy,
            "CutoffPercent": outcome.cutoff_percent,
            "PassRatePercent": outcome.pass_rate_percent,
            "Points": outcome.n_points,
            "PointsPassed": outcome.n_passed,
            "PointsMissing": outcome.n_missing,
        },
    )
    show(node, window=(0.0, MAX_GAMMA_SHOWN), colours=palette.gamma, hide_below=1e-6, interpolate=False)
    tree.place(node, parent=parent)


def _set_numbers(node: Any, numbers: dict[str, float | None]) -> None:
    for name, value in numbers.items():
        if value is not None:
            node.SetAttribute(OURS + name, repr(value) if isinstance(value, int) else repr(float(value)))


def _add_structures(
    scene: Any, tree: Hierarchy, result: VerificationResult, ct: Any, planned: Any, reconstructed: Any
) -> list[str]:
    if result.structure_set is None:
        return ["The study has no structure set: no segmentation and no DVH in the scene."]
    segmentation, segment_ids, left_out = add_segmentation(scene, result.structure_set, reference_volume=ct)
    tree.place(
        segmentation,
        modality="RTSTRUCT",
        instance_uid=result.structure_set.sop_instance_uid,
        attributes={RT + "RoiReferencedSeriesUid": result.structure_set.referenced_ct_series_uid},
    )
    dvh = DvhTables(scene, segmentation, dose_unit="RELATIVE" if result.is_relative else "GY")
    names = Counter(structure.name for structure in result.structure_set.structures)
    for structure in result.structures:
        if names[structure.name] > 1:
            left_out.append(f"The DVH of {structure.name} is not in the scene: several structures have this name.")
        elif structure.name in segment_ids:
            for curve, dose in ((structure.planned, planned), (structure.reconstructed, reconstructed)):
                if curve is not None and dose is not None:
                    dvh.add(structure, segment_ids[structure.name], curve, dose, planned=dose is planned)
    dvh.finish()
    folder = tree.folder("DVH")
    for node in (dvh.metrics, dvh.chart, *dvh.tables):
        tree.place(node, parent=folder)
    return left_out


def _add_beam(
    scene: Any, tree: Hierarchy, palette: Palette, beam: BeamResult, beams: int, maximum: float, anatomy: Grid
) -> None:
    folder = tree.folder(f"{beam.number}: {beam.name}", beams)
    _add_dose(scene, tree, palette, beam.dose, f"Dose {beam.name}", maximum, parent=folder)
    nodes = {}
    for image, title, colours in (
        (beam.epid, "EPID", palette.grey),
        (beam.portal_dose, "Portal dose", palette.dose),
        (beam.planned_portal_dose, "Portal dose planned", palette.dose),
    ):
        if image is None:
            continue
        # Not marked as a dose: a portal dose in every dose selector of SlicerRT would be a trap.
        node = nodes[title] = add_portal_volume(scene, image, beam.frame, f"{title} {beam.name}")
        node.SetAttribute(OURS + "Unit", image.unit)
        show(node, window=(0.0, float(np.nanmax(image.values)) or 1.0), colours=colours)
        is_image = title == "EPID"
        tree.place(
            node,
            parent=folder,
            modality="RTIMAGE",
            instance_uid=beam.portal_image_sop_uid if is_image else "",
            referenced_uid=tree.plan_uid,
            attributes=_image_attributes(beam, image),
        )
    drr = radiograph(anatomy, beam.frame, beam.portal_dose)
    node = add_portal_volume(scene, drr, beam.frame, f"DRR {beam.name}")
    show(node, window=(float(drr.values.min()), float(drr.values.max())), colours=palette.radiograph)
    tree.place(node, parent=folder)
    sheet = add_portal_sheet(scene, beam.epid or beam.portal_dose, beam.frame, f"Imager {beam.name}", palette.grey)
    tree.place(sheet, parent=folder)
    if beam.planned_portal_dose is not None:
        plane = pixel_to_lps(beam.planned_portal_dose, beam.frame)
        for outcome in beam.gamma_2d:
            _add_gamma_volume(
                scene, tree, palette, outcome, plane, nodes["Portal dose planned"], nodes["Portal dose"],
                name=f"Gamma {beam.name}", parent=folder,
            )  # fmt: skip


def _image_attributes(beam: BeamResult, image: Any) -> dict[str, str]:
    angles = {"CouchAngle": beam.couch_angle_deg, "CollimatorAngle": beam.collimator_angle_deg}
    x_mm, y_mm = image.first_pixel_mm
    return {
        RT + "RtImage": "1",
        RT + "BeamNumber": str(beam.number),
        RT + "GantryAngle": f"{beam.gantry_angle_deg:g}",
        RT + "SourceAxisDistance": f"{image.source_to_axis_mm:g}",
        RT + "RtImageSid": f"{image.source_to_image_mm:g}",
        RT + "RtImagePosition": f"{x_mm:.10g} {y_mm:.10g}",
        **{RT + name: f"{value:g}" for name, value in angles.items() if value is not None},
    }


def _add_summary(scene: Any, tree: Hierarchy, result: VerificationResult) -> None:
    text = scene.AddNewNodeByClass("vtkMRMLTextNode", "Verdict")
    text.SetAttribute(OURS + "Verdict", result.verdict.status)
    text.SetText("\n".join([result.verdict.status.upper(), *result.verdict.reasons, *result.warnings]))
    tree.place(text)
    outcomes = [("3D", o) for o in result.gamma_3d] + [(b.name, o) for b in result.beams for o in b.gamma_2d]
    table = add_table(
        scene,
        "Gamma pass rates",
        {
            "Comparison": [name for name, _ in outcomes],
            "Dose percent": [o.dose_percent for _, o in outcomes],
            "Distance mm": [o.distance_mm for _, o in outcomes],
            "Pass rate percent": [o.pass_rate_percent for _, o in outcomes],
            "Points": [o.n_points for _, o in outcomes],
            "Points passed": [o.n_passed for _, o in outcomes],
            "Points missing": [o.n_missing for _, o in outcomes],
            "Mean gamma": [o.mean_gamma for _, o in outcomes],
            "Max gamma": [o.max_gamma for _, o in outcomes],
            "Reason": [o.reason for _, o in outcomes],
        },
    )
    tree.place(table)
