"""Everything a verification leaves in its output folder."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from intrepid_cli.console import plain
from intrepid_cli.report import write_report
from intrepid_cli.verification.results import DOSE_UNCERTAINTY, as_results, file_stems
from intrepid_cli.verification.seal import RESULTS, sealed
from intrepid_epid.dose_engine.dose_to_water import MEANINGS
from intrepid_epid.portal_dose_file import write_portal_dose
from intrepid_rt.dicom_dose import DoseReferences, write_dose
from intrepid_rt.dicom_file import collecting
from intrepid_rt.dicom_portal_dose import write_portal_dose_image
from intrepid_rt.grids import DoseGrid
from intrepid_rt.image_files import write_image
from intrepid_rt.verification import VerificationResult

METHOD = "Reconstructed from portal images by InTrEPID. Research software, not cleared for clinical decisions."


def write_outputs(
    result: VerificationResult, folder: Path, plan_file: Path, *, progress: Callable[[str], None]
) -> VerificationResult:
    """Write doses, portal doses, scene, report and results into a folder; returns the result with what was left out.

    A relative result has no dose in Gy, so it gets no RTDOSE.

    Raises
    ------
    OSError
        The folder cannot be written to, or too little space is left for the scene.
    """
    warnings = list(result.warnings)
    template = _header(plan_file)
    progress("writing doses")
    if result.is_relative:
        warnings.append("The result is relative: no RTDOSE was written.")
    else:
        _write_doses(result, folder, template)
    if result.dose_uncertainty is not None:
        band = result.dose_uncertainty
        write_image(folder / DOSE_UNCERTAINTY, np.asarray(band.values, np.float32), band)
    for beam, stem in zip(result.beams, file_stems(result.beams), strict=True):
        write_portal_dose(beam.portal_dose, folder / f"{stem}_portal_dose.nrrd")
    progress("writing the scene")
    if shutil.disk_usage(folder).free < 50_000_000:
        raise OSError(28, "less than 50 MB free", str(folder))
    warnings += _scene(result, folder / "scene.mrb")
    final = replace(result, warnings=tuple(warnings))
    progress("writing the report")
    write_report(final, folder / "report.html")
    text = json.dumps(plain(sealed(as_results(final), folder)), indent=1, allow_nan=False)
    (folder / RESULTS).write_text(text + "\n", encoding="utf-8")
    return final


def _header(plan_file: Path) -> Dataset:
    with collecting([]):
        return pydicom.dcmread(plan_file, stop_before_pixels=True, force=True)


def _write_doses(result: VerificationResult, folder: Path, template: Dataset) -> None:
    series, plan, structures = generate_uid(), result.plan.sop_instance_uid, result.plan.structure_set_uid
    image_series = generate_uid()
    for number, (beam, stem) in enumerate(zip(result.beams, file_stems(result.beams), strict=True), 1):
        write_dose(
            folder / f"RTDOSE_{stem}.dcm",
            _written(beam.dose, result),
            references=DoseReferences(plan, structures, beam.number),
            template=template,
            summation_type="BEAM",
            comment=_method(result),
            series_description="InTrEPID reconstructed dose",
            series_uid=series,
            instance_number=number,
        )
        write_portal_dose_image(
            folder / f"{stem}_portal_dose.dcm",
            beam.portal_dose.with_values(np.clip(beam.portal_dose.values, 0.0, None)),  # noise below zero is no dose
            template=template,
            plan_uid=plan,
            beam_number=beam.number,
            machine=beam.machine,
            label=f"{beam.name} dose",
            description="InTrEPID portal dose",
            series_uid=image_series,
            instance_number=number,
        )
    write_dose(
        folder / "RTDOSE_total.dcm",
        _written(result.reconstructed, result),
        references=DoseReferences(plan, structures),
        template=template,
        summation_type="PLAN",
        comment=_method(result),
        series_description="InTrEPID reconstructed dose",
        series_uid=series,
        instance_number=len(result.beams) + 1,
    )


def _method(result: VerificationResult) -> str:
    return f"{METHOD} {MEANINGS[result.provenance.settings.get('dose_to', 'water')]}"


def _written(dose: DoseGrid, result: VerificationResult) -> DoseGrid:
    return replace(dose, frame_of_reference_uid=dose.frame_of_reference_uid or result.plan.frame_of_reference_uid)


def _scene(result: VerificationResult, path: Path) -> list[str]:
    from SlicerInTrEPIDLib.scene import write_scene

    return list(write_scene(result, path))
