"""Made-up patients straight into the tables of a cohort database: for statistics and speed, without any DICOM."""

from datetime import date, timedelta

import numpy as np
from scipy.special import ndtr
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from intrepid_cohort import schema
from intrepid_cohort.endpoints import add_default_endpoints
from intrepid_cohort.packing import pack_curve


def fill(engine: Engine, patients: int, structures: int) -> None:
    """Add patients of one plan; the dose of a structure is normal, of a mean that grows with its volume."""
    rng = np.random.default_rng(1)
    dose_gy = np.arange(5600) / 100
    with Session(engine) as session:
        for number in range(patients):
            day = date(2020, 1, 1) + timedelta(days=number)
            study = schema.Study(study_instance_uid=f"1.2.{number}", study_date=day)
            session.add(schema.Patient(pseudonym=f"P{number:06d}", centre="ABC"[number % 3], studies=[study]))
            study.plans = [schema.Plan(sop_instance_uid=f"1.4.{number}", file_sha256="", prescription_dose_gy=50.0)]
            sets = schema.StructureSet(sop_instance_uid=f"1.3.{number}", file_sha256="", frame_of_reference_uid="",
                                       referenced_series_uid="")  # fmt: skip
            dose = schema.Dose(
                sop_instance_uid=f"1.5.{number}", file_sha256="", referenced_plan_uid=f"1.4.{number}",
                dose_summation_type="PLAN", dose_type="PHYSICAL", frame_of_reference_uid="", grid_x_mm=1, grid_y_mm=1,
                grid_z_mm=1, grid_columns=1, grid_rows=1, grid_frames=1, max_gy=55.99,
            )  # fmt: skip
            study.structure_sets, study.doses = [sets], [dose]
            for roi in range(structures):
                sd, volume = rng.uniform(1, 3), rng.uniform(20, 900)
                mean = 5 + volume / 25 + rng.normal(0, 1)
                curve = volume * np.append(1 - ndtr((dose_gy[:-1] - mean) / sd), 0.0)
                structure = schema.Structure(roi_number=roi, roi_name=f"organ {roi}", contour_count=30)
                sets.structures.append(structure)
                dose.dvhs.append(schema.DoseVolumeHistogram(
                    structure=structure, volume_cc=volume, min_gy=0.0, max_gy=55.99, mean_gy=mean, sd_gy=sd,
                    median_gy=mean, bin_width_gy=0.01, cumulative_volume_cc=pack_curve(curve), warnings=[], engine="",
                    engine_settings={}, dose_sha256="", structure_set_sha256=""))  # fmt: skip
            add_default_endpoints(dose, 50.0)
            if number % 50 == 49:
                session.commit()
                session.expunge_all()
        session.commit()
