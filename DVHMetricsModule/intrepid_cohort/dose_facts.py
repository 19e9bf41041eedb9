"""RTDOSE to its row, and the DVHs of a structure set in it."""

from importlib.metadata import PackageNotFoundError, version

from pydicom.dataset import Dataset

from intrepid_cohort.packing import BIN_WIDTH_GY, binned_volume_cc, pack_curve
from intrepid_cohort.planning_systems import planning_system
from intrepid_cohort.schema import Dose, DoseVolumeHistogram
from intrepid_cohort.structure_facts import AnatomyFacts
from intrepid_cohort.values import optional_text, timestamp
from intrepid_dvh.compute import compute_dvh
from intrepid_dvh.curve import DVH
from intrepid_dvh.points import dose_at_volume
from intrepid_rt.dicom_dose import DoseObject, read_dose_object
from intrepid_rt.dicom_file import items, text
from intrepid_rt.errors import FrameOfReferenceMismatch, UnusableInput
from intrepid_rt.grids import DoseGrid
from intrepid_rt.structures import Structure

# Parts of a plan: their DVHs mean nothing alone, and summing them is a decision of curation.
_PARTS = ("BEAM", "BRACHY", "BEAM_SESSION", "BRACHY_SESSION", "CONTROL_POINT")

ENGINE_SETTINGS = {"end_caps": "half_slice", "between_planes": "slab", "bin_width_gy": BIN_WIDTH_GY}


def software_version() -> str:
    """Return the version of this software."""
    try:
        return version("slicer-intrepid")
    except PackageNotFoundError:  # loaded from a Slicer extension folder, where no wheel is installed
        return "unreleased"


def dose_row(dataset: Dataset, *, file_sha256: str) -> tuple[Dose, DoseObject]:
    """Return a dose without DVHs, not yet in any database, and the dose as read.

    Raises
    ------
    UnusableInput
        The object cannot be read as absolute dose.
    """
    found = read_dose_object(dataset)
    frames, rows, columns = found.grid.shape
    x_mm, y_mm, z_mm = found.grid.spacing_mm
    of_one_plan = len(plan_uids(dataset)) <= 1
    row = Dose(
        sop_instance_uid=found.sop_instance_uid,
        file_sha256=file_sha256,
        referenced_plan_uid=(found.plan_uid or None) if of_one_plan else None,
        referenced_beam_number=found.beam_number,
        referenced_structure_set_uid=found.structure_set_uid or None,
        dose_summation_type=found.summation_type,
        dose_type=found.dose_type,
        dose_comment=found.comment or None,
        tissue_heterogeneity_correction=optional_text(dataset, "TissueHeterogeneityCorrection"),
        dose_timestamp=timestamp(dataset, "InstanceCreationDate", "InstanceCreationTime")
        or timestamp(dataset, "ContentDate", "ContentTime"),
        planning_system=planning_system(dataset),
        frame_of_reference_uid=found.grid.frame_of_reference_uid,
        grid_x_mm=x_mm,
        grid_y_mm=y_mm,
        grid_z_mm=z_mm,
        grid_columns=columns,
        grid_rows=rows,
        grid_frames=frames,
        max_gy=float(found.grid.dose_gy.max()),
        notes=list(found.notes),
    )
    return row, found


def plan_uids(dataset: Dataset) -> list[str]:
    """UIDs of all plans that a dose is of: several for a sum of plans (PS3.3 C.8.8.3, MULTI_PLAN)."""
    named = (text(plan, "ReferencedSOPInstanceUID") for plan in items(dataset, "ReferencedRTPlanSequence"))
    return list(dict.fromkeys(uid for uid in named if uid))


def add_dvhs(row: Dose, grid: DoseGrid, anatomy: AnatomyFacts | None) -> None:
    """Compute the DVHs of all structures in a dose, or write down why there are none."""
    if row.dose_summation_type in _PARTS:
        row.dvh_reason = f"The dose of a part of the treatment ({row.dose_summation_type}) has no DVHs of its own."
    elif anatomy is None:
        row.dvh_reason = "It references no structure set that was imported, directly or through its plan."
    elif (frame := anatomy.structure_set.frame_of_reference_uid) and frame != grid.frame_of_reference_uid:
        row.dvh_reason = (
            f"The dose is in frame of reference {grid.frame_of_reference_uid}, structure set "
            f"{anatomy.row.sop_instance_uid} in {frame}."
        )
    else:
        row.dvhs = [
            _dvh_row(row, grid, anatomy, structure, made)
            for structure, made in zip(anatomy.structures, anatomy.row.structures, strict=True)
        ]


def _dvh_row(
    dose: Dose, grid: DoseGrid, anatomy: AnatomyFacts, structure: Structure, made: object
) -> DoseVolumeHistogram:
    row = DoseVolumeHistogram(
        structure=made,
        engine=f"intrepid_dvh {software_version()}",
        engine_settings=ENGINE_SETTINGS,
        dose_sha256=dose.file_sha256,
        structure_set_sha256=anatomy.row.file_sha256,
    )
    try:
        fill_dvh(row, compute_dvh(grid, structure, slice_spacing_mm=anatomy.slice_spacing_mm))
    except FrameOfReferenceMismatch:
        raise
    except UnusableInput as error:
        row.reason = str(error)
    return row


def fill_dvh(row: DoseVolumeHistogram, dvh: DVH) -> None:
    """Write the numbers and the curve of a DVH to its row."""
    known = dvh.stated
    row.volume_cc = dvh.structure_volume_cc
    row.volume_outside_dose_cc = dvh.volume_outside_dose_cc
    row.min_gy, row.max_gy, row.mean_gy, row.sd_gy = known.min_gy, known.max_gy, known.mean_gy, known.sd_gy
    row.median_gy = dose_at_volume(dvh, 50.0, unit="%") if dvh.volume_outside_dose_cc == 0 else None
    if known.mean_gy is not None:
        row.integral_dose_gy_cc = known.mean_gy * float(dvh.volume_cc[0])
    row.bin_width_gy = BIN_WIDTH_GY
    row.cumulative_volume_cc = pack_curve(binned_volume_cc(dvh))
    row.warnings = list(dvh.warnings)
