"""What a treatment leaves behind: frames of an arc, treatment records, the image of the day with its registration."""

import shutil
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the name its documentation uses

import builders
import chain_arc
import frame_builders
from builders import Ids, Lattice, item
from chain_phantoms import soft_field
from intrepid_epid.portal_dose_file import write_portal_dose
from intrepid_rt.dicom_portal_dose import write_portal_dose_image
from intrepid_rt.registration.rigid_transform import rigid_about
from intrepid_rt.registration.transform_file import write_transform

ROOT = "1.2.826.0.1.3680043.8.498"
IDS = Ids("TEST-2", *(f"{ROOT}.{number}" for number in range(11, 16)))
DAY_FRAME = f"{ROOT}.20"
MOTION = rigid_about((1.0, 2.0, 3.0), shift_mm=(4.0, -5.0, 6.0), rotation_deg=(1.0, -2.0, 3.0))
ANGLES = (200.0, 230.0, 260.0, 290.0, 320.0, 350.0)


def make_deliveries(corpus: Path) -> None:
    """Write ``cine``, ``series``, ``raw``, ``raw_xml``, ``record``, ``day``, ``transforms``, ``planned``."""
    signal = chain_arc.frame_signal(len(ANGLES))
    for form in ("cine", "series", "raw"):
        chain_arc.write_arc(corpus / form, form, signal, ANGLES, ids=IDS)
    _listed_in_xml(corpus, signal)
    _record(corpus)
    _day(corpus)
    _transforms(corpus)
    _planned(corpus)


def _listed_in_xml(corpus: Path, signal: np.ndarray) -> None:
    shutil.copytree(corpus / "raw", corpus / "raw_xml")
    shutil.rmtree(corpus / "raw_xml" / "raw")
    frame_builders.write_raw(
        corpus / "raw_xml" / "raw", signal, IDS, gantry_deg=ANGLES, panel_width_mm=64 * 6.4, with_xml=True
    )


def _record(corpus: Path) -> None:
    """Write a treatment record beside the study whose plan it refers to."""
    shutil.copytree(corpus / "study", corpus / "record")
    made = builders.new_dataset("CT", Ids(*(f"{ROOT}.{number}" for number in range(6))))
    made.Modality, made.SOPClassUID = "RTRECORD", "1.2.840.10008.5.1.4.1.1.481.4"
    made.TreatmentDate, made.TreatmentTime, made.NumberOfFractionsPlanned = "20260105", "083000", 1
    made.ReferencedRTPlanSequence = [builders.reference("RTPLAN", f"{ROOT}.5")]
    made.ReferencedFractionGroupNumber = 1
    made.TreatmentSessionBeamSequence = [
        item(
            ReferencedBeamNumber=number, CurrentFractionNumber=1, TreatmentDeliveryType="TREATMENT",
            TreatmentTerminationStatus="NORMAL", DeliveredPrimaryMeterset="100", SpecifiedPrimaryMeterset="100",
        )
        for number in (1, 2)
    ]  # fmt: skip
    builders.save(made, corpus / "record" / "RTRECORD.dcm")


def _day(corpus: Path) -> None:
    """Write a CT of another day in a frame of its own, and the registration object that links it to the plan's."""
    ids = Ids("TEST-2", f"{ROOT}.21", DAY_FRAME, f"{ROOT}.22")
    lattice = Lattice((4, 12, 14), (-20.0, -15.0, -10.0), row_spacing_mm=3.0, column_spacing_mm=3.0)
    for number, one in enumerate(builders.ct_slices(np.zeros(lattice.shape), lattice, ids)):
        builders.save(one, corpus / "day" / f"CT_{number:03d}.dcm")
    made = builders.new_dataset("CT", ids)
    made.Modality, made.SOPClassUID = "REG", "1.2.840.10008.5.1.4.1.1.66.1"
    made.RegistrationSequence = [
        item(FrameOfReferenceUID=uid, MatrixRegistrationSequence=[item(MatrixSequence=[_matrix(matrix)])])
        for uid, matrix in ((IDS.frame, np.eye(4)), (DAY_FRAME, MOTION.inverse.matrix))
    ]
    builders.save(made, corpus / "day" / "REG.dcm")


def _matrix(matrix: np.ndarray):  # type: ignore[no-untyped-def]
    return item(
        FrameOfReferenceTransformationMatrix=[f"{v:.10g}" for v in matrix.ravel()],
        FrameOfReferenceTransformationMatrixType="RIGID",
    )


def _transforms(corpus: Path) -> None:
    folder = corpus / "transforms"
    folder.mkdir()
    for suffix in ("tfm", "h5"):
        write_transform(folder / f"rigid.{suffix}", MOTION, None)
    field = sitk.GetImageFromArray(np.full((3, 4, 5, 3), 0.5), isVector=True)
    field.SetSpacing((40.0, 40.0, 40.0))
    field.SetOrigin((-80.0, -60.0, -40.0))
    sitk.WriteTransform(sitk.DisplacementFieldTransform(field), str(folder / "deformable.h5"))


def _planned(corpus: Path) -> None:
    """Write planned portal doses of two beams: NRRD for the first, RTIMAGE in Gy for the second."""
    folder = corpus / "planned"
    folder.mkdir()
    field = soft_field(25, 20, n=48, pixel=6.4, sid=1600.0)
    dose = field.with_values(0.4 * field.values, unit="Gy")
    write_portal_dose(dose, folder / "AP_portal_dose.nrrd")
    about = item(PatientID=IDS.patient, PatientName="Doe^Secret", StudyInstanceUID=IDS.study)
    write_portal_dose_image(folder / "LAT.dcm", dose, plan_uid=IDS.plan, beam_number=2, template=about)
