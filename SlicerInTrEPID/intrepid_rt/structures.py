"""Structures as DICOM RTSTRUCT stores them: stacks of planar contours."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intrepid_rt.errors import AmbiguousInput, UnsupportedGeometry

# Points of one contour are rounded independently by some exporters.
_AXIAL_TOLERANCE_MM = 0.1


@dataclass(frozen=True, eq=False)
class Structure:
    """One region of interest of a structure set.

    Parameters
    ----------
    name : str
        ROIName (3006,0026).
    number : int
        ROINumber (3006,0022).
    contours : tuple of ndarray, (n, 3)
        Closed planar contours, LPS mm, the first point not repeated at the end. Contours in one plane combine by
        exclusive or, so that a contour inside another is a hole.
    points : tuple of ndarray, (3,)
        POINT contours, LPS mm: markers and reference points, which have no volume.
    interpreted_type : str
        RTROIInterpretedType (3006,00A4), e.g. "EXTERNAL", "PTV"; empty if not stated.
    colour_rgb : tuple of int
        ROIDisplayColor, 0 to 255.
    """

    name: str
    number: int
    contours: tuple[NDArray, ...]
    points: tuple[NDArray, ...] = ()
    interpreted_type: str = ""
    colour_rgb: tuple[int, int, int] = (255, 255, 0)
    frame_of_reference_uid: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether the structure has no closed contour, hence no volume."""
        return not self.contours

    def contours_by_plane(self, *, tolerance_mm: float = 0.01) -> dict[float, list[NDArray]]:
        """Group contours that lie in the same axial plane: patient z in mm (ascending) to contours.

        Contours whose z differ by at most ``tolerance_mm`` share a plane: exporters round the same slice differently.

        Raises
        ------
        UnsupportedGeometry
            A contour does not lie in an axial plane.
        """
        for contour in self.contours:
            if np.ptp(contour[:, 2]) > max(tolerance_mm, _AXIAL_TOLERANCE_MM):
                raise UnsupportedGeometry(
                    f"Structure {self.name} has a contour that is not axial: z from {contour[:, 2].min():g} to "
                    f"{contour[:, 2].max():g} mm. Export the structures on axial slices."
                )
        planes: dict[float, list[NDArray]] = {}
        for z, contour in sorted(((float(np.mean(c[:, 2])), c) for c in self.contours), key=lambda item: item[0]):
            last = next(reversed(planes), None)
            key = last if last is not None and z - last <= tolerance_mm else z
            planes.setdefault(key, []).append(contour)
        return planes


@dataclass(frozen=True, eq=False)
class StructureSet:
    """The structures of one RTSTRUCT object."""

    label: str
    sop_instance_uid: str
    frame_of_reference_uid: str
    structures: tuple[Structure, ...]
    referenced_ct_series_uid: str = ""
    notes: tuple[str, ...] = ()

    def named(self, name: str) -> Structure | None:
        """Return the structure with this ROIName, compared without regard to case and outer blanks; None if absent.

        Raises
        ------
        AmbiguousInput
            Two structures with contours share the name.
        """
        wanted = name.strip().casefold()
        found = [s for s in self.structures if s.name.strip().casefold() == wanted]
        drawn = [s for s in found if not s.is_empty]
        if len(drawn) > 1:
            raise AmbiguousInput(
                f"RTSTRUCT {self.sop_instance_uid} holds {len(drawn)} structures named {name!r} "
                f"(ROI numbers {', '.join(str(s.number) for s in drawn)}). Rename them so that one is meant."
            )
        return next(iter(drawn or found), None)

    @property
    def external(self) -> Structure | None:
        """The patient outline: the structure of interpreted type EXTERNAL, else the one named BODY or EXTERNAL.

        Raises `AmbiguousInput` as `named` does.
        """
        typed = next((s for s in self.structures if s.interpreted_type == "EXTERNAL" and not s.is_empty), None)
        return typed or self.named("BODY") or self.named("EXTERNAL")
