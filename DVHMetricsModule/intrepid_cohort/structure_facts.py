"""RTSTRUCT to the rows of a structure set: names, geometry, place relative to the total PTV, coordinates."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset

from intrepid_cohort import schema
from intrepid_cohort.geometry import PrismPile
from intrepid_cohort.packing import pack_contours
from intrepid_cohort.planning_systems import planning_system, structure_set_habits
from intrepid_cohort.target_geometry import Target, target_geometry
from intrepid_cohort.values import joined, optional_text, timestamp
from intrepid_dvh.slabs import common_slice_spacing_mm
from intrepid_rt.dicom_file import text
from intrepid_rt.dicom_structures import read_structure_set
from intrepid_rt.errors import UnusableInput
from intrepid_rt.structures import Structure, StructureSet

# Without a stated type the name alone must say it: PTV, PTV1, PTV_5000, "PTV 2 boost"; not zPTV, nor PTV-opt or rings.
_PTV_NAME = re.compile(r"PTV(?![a-z])", re.IGNORECASE)
_HELPER_NAME = re.compile(r"opt|ring|minus|-|\bin\b|avoid|dummy|help", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class AnatomyFacts:
    """A structure set as read, its row, and what the doses need: rows by ROI number, distance between slices."""

    structure_set: StructureSet
    row: schema.StructureSet
    slice_spacing_mm: float | None

    @property
    def structures(self) -> Sequence[Structure]:
        """The structures as read, in the order of ``row.structures``."""
        return self.structure_set.structures


def anatomy_facts(dataset: Dataset, *, file_sha256: str, ptv_roi_numbers: Sequence[int] | None = None) -> AnatomyFacts:
    """Return a structure set with its structures and their geometry, not yet in any database.

    ``ptv_roi_numbers`` are the PTVs that a person chose; by default they follow from types and names.

    Raises
    ------
    UnusableInput
        The object cannot be read, or two of its ROIs have one number.
    """
    found = read_structure_set(dataset)
    spacing_mm = common_slice_spacing_mm(found.structures)
    system = planning_system(dataset)
    row = schema.StructureSet(
        sop_instance_uid=found.sop_instance_uid,
        file_sha256=file_sha256,
        structure_set_label=found.label or None,
        structure_set_name=optional_text(dataset, "StructureSetName"),
        structure_set_timestamp=timestamp(dataset, "StructureSetDate", "StructureSetTime"),
        approval_status=optional_text(dataset, "ApprovalStatus"),
        manufacturer=optional_text(dataset, "Manufacturer"),
        manufacturer_model_name=optional_text(dataset, "ManufacturerModelName"),
        software_versions=joined(dataset, "SoftwareVersions"),
        planning_system=system,
        frame_of_reference_uid=found.frame_of_reference_uid or text(dataset, "FrameOfReferenceUID"),
        referenced_series_uid=found.referenced_ct_series_uid,
        notes=[*found.notes, *structure_set_habits(system, dataset)],
    )
    piles = _add_structures(row, found, spacing_mm)
    row.ptv_roi_numbers = _ptvs_with_volume(row, found, piles, ptv_roi_numbers)
    _add_target_geometry(row, found, piles, spacing_mm)
    return AnatomyFacts(found, row, spacing_mm)


def ptv_numbers(structures: Sequence[Structure]) -> list[int]:
    """ROI numbers of the PTVs: those of interpreted type PTV; if no structure has one, those named so beyond doubt."""
    drawn = [structure for structure in structures if not structure.is_empty]
    typed = [structure.number for structure in drawn if structure.interpreted_type == "PTV"]
    return typed or [
        structure.number
        for structure in drawn
        if _PTV_NAME.match(structure.name) and not _HELPER_NAME.search(structure.name)
    ]


def _add_structures(row: schema.StructureSet, found: StructureSet, spacing_mm: float | None) -> dict[int, PrismPile]:
    piles: dict[int, PrismPile] = {}
    for structure in found.structures:
        made = schema.Structure(
            roi_number=structure.number,
            roi_name=structure.name,
            rt_roi_interpreted_type=structure.interpreted_type or None,
            contour_count=len(structure.contours),
        )
        try:
            piles[structure.number] = _add_geometry(made, structure, spacing_mm)
        except UnusableInput as error:
            made.geometry_reason = str(error)
        if not structure.is_empty:
            made.contours = schema.StructureContours(contours_lps_mm=pack_contours(structure.contours))
        row.structures.append(made)
    return piles


def _add_geometry(row: schema.Structure, structure: Structure, spacing_mm: float | None) -> PrismPile:
    pile = PrismPile.of(structure, slice_spacing_mm=spacing_mm)
    areas = sorted(pile.area_mm2 / 100.0)
    row.volume_cc = pile.volume_cc
    row.centroid_x_mm, row.centroid_y_mm, row.centroid_z_mm = pile.centroid_mm.tolist()
    row.spread_x_mm, row.spread_y_mm, row.spread_z_mm = pile.spread_mm.tolist()
    row.cross_section_max_cm2 = float(areas[-1])
    row.cross_section_median_cm2 = float((areas[(len(areas) - 1) // 2] + areas[len(areas) // 2]) / 2)
    row.surface_area_cm2 = pile.surface_area_cm2
    row.geometry_warnings = list(pile.warnings)
    return pile


def _ptvs_with_volume(
    row: schema.StructureSet, found: StructureSet, piles: dict[int, PrismPile], chosen: Sequence[int] | None
) -> list[int]:
    numbers = [n for n in (ptv_numbers(found.structures) if chosen is None else chosen) if n in piles]
    if chosen is not None:
        row.notes = [*row.notes, f"The PTVs were chosen by a person: ROI {', '.join(map(str, chosen)) or 'none'}."]
        if lost := sorted(set(chosen) - set(numbers)):
            row.notes = [*row.notes, f"ROI {', '.join(map(str, lost))} of these has no volume and is not used."]
    elif not numbers:
        row.notes = [*row.notes, "No structure is a PTV beyond doubt, so distances to the target are not computed."]
    return numbers


def _add_target_geometry(
    row: schema.StructureSet, found: StructureSet, piles: dict[int, PrismPile], spacing_mm: float | None
) -> None:
    if not row.ptv_roi_numbers:
        return
    ptvs = [structure for structure in found.structures if structure.number in row.ptv_roi_numbers]
    target = Target.of(ptvs, [piles[ptv.number] for ptv in ptvs], slice_spacing_mm=spacing_mm)
    for structure, made in zip(found.structures, row.structures, strict=True):
        if structure.number in piles:
            made.target_geometry = target_geometry(
                structure, piles[structure.number], target, slice_spacing_mm=spacing_mm
            )
