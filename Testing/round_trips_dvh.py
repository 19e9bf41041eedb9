"""DVHs of our RTDOSE and RTSTRUCT by dicompyler-core: a simulated patient with volumes and means known on paper."""

import json
import subprocess
from pathlib import Path

import numpy as np

import round_trips_contours as contours
from builders import linear_field
from intrepid_cohort.simulation.objects import ImageSet, PlanSpec, plan
from intrepid_dvh.compute import compute_dvh
from intrepid_rt.dicom_dose import DoseReferences, read_dose, write_dose
from intrepid_rt.dicom_structures import read_structure_set
from intrepid_rt.grids import DoseGrid, affine_from_axes

Numbers = dict[str, tuple[float, float]]  # structure: cc, mean Gy
SPACING_MM = (2.5, 2.0, 2.5)


def write_study(folder: Path) -> tuple[Path, Path]:
    """Write RTSTRUCT and an RTDOSE that is linear in the patient, anisotropic and off-centre, by our writers."""
    structures = contours.write_ours(folder, "simulated patient")
    images = ImageSet(contours.PERSON, 1, (0.0, 0.0, 0.0))
    template = plan(images, PlanSpec("A", "A", 25, 50.0, (0.0, 0.0, 0.0), (100.0,)))
    index = np.stack(np.meshgrid(np.arange(54), np.arange(103), np.arange(119), indexing="ij"), axis=-1)[..., ::-1]
    origin = np.array([-147.3, -101.9, -9.1])
    affine = affine_from_axes(tuple(origin), SPACING_MM, np.eye(3))
    grid = DoseGrid(linear_field(origin + index * SPACING_MM), affine, images.uid("frame"))
    write_dose(folder / "dose.dcm", grid, references=DoseReferences(template.SOPInstanceUID), template=template)
    return structures, folder / "dose.dcm"


def on_paper() -> Numbers:
    """Volume of the polygons, and the dose at their centre of gravity, which is the mean of a linear dose."""
    return {
        organ.variant(0, 0): (organ.volume_cc, float(linear_field(organ.centroid_mm(np.zeros(3)))))
        for organ in contours.PERSON.organs
    }


def by_us(structures: Path, dose: Path) -> Numbers:
    """Our engine on the files."""
    grid = read_dose(dose)
    dvhs = [compute_dvh(grid, structure) for structure in read_structure_set(structures).structures]
    return {dvh.structure: (dvh.structure_volume_cc, dvh.metric("Dmean").value) for dvh in dvhs}


def by_dicompyler(structures: Path, dose: Path) -> Numbers:
    """dicompyler-core's engine on the files."""
    command = [contours.DICOMPYLER, contours.SCRIPTS / "peer_dicompyler.py", structures, dose, "1"]
    said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {name: (said["volume_cc"][name], said["mean_gy"][name]) for name in said["volume_cc"]}
