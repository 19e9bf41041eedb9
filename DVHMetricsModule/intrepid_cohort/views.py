"""Views in the database itself, for R, spreadsheets and whoever writes SQL: made anew with every upgrade."""

from typing import Any

from sqlalchemy import Connection, Select, func, inspect, select, text

from intrepid_cohort.joins import NAME, PRESCRIPTION_GY, joined
from intrepid_cohort.schema import (
    Beam,
    Dose,
    DoseVolumeHistogram,
    Endpoint,
    Patient,
    Plan,
    Structure,
    StructureSet,
    Study,
    TargetGeometry,
    Treatment,
)

# View: (one row is ..., query). Columns are those of the tables, under their names, unless labelled.
VIEWS: dict[str, tuple[str, Select]] = {}

_WHO = (Patient.pseudonym, Patient.centre, Patient.patient_sex, Study.study_date)
_WHAT = (
    Plan.rt_plan_label,
    Plan.fractions_planned,
    PRESCRIPTION_GY.label("prescription_gy"),
    Dose.dose_summation_type,
    Dose.sop_instance_uid.label("dose_uid"),
    StructureSet.sop_instance_uid.label("structure_set_uid"),
    Treatment.collection_id,
    Structure.roi_number,
    Structure.roi_name,
    NAME.label("name"),
    Structure.rt_roi_interpreted_type,
)


def _columns_of(model: Any, *, without: tuple[str, ...]) -> list[Any]:
    return [getattr(model, c.name) for c in model.__table__.columns if c.name not in without and not c.foreign_keys]


VIEWS["v_dvhs"] = (
    "one structure in one dose, with patient, plan and position to the target",
    joined(
        DoseVolumeHistogram.id.label("dvh_id"),
        *_WHO,
        Plan.age_at_study_date_years,
        *_WHAT,
        *_columns_of(
            DoseVolumeHistogram,
            without=(
                "id",
                "cumulative_volume_cc",
                "bin_width_gy",
                "engine_settings",
                "dose_sha256",
                "structure_set_sha256",
                "warnings",
            ),
        ),
        *_columns_of(TargetGeometry, without=("overlap_volume_histogram", "distance_to_target_histogram")),
    ),
)

VIEWS["v_endpoints"] = (
    "one stored metric of one structure in one dose",
    joined(DoseVolumeHistogram.id.label("dvh_id"), *_WHO, *_WHAT, Endpoint.metric, Endpoint.value, Endpoint.reason)
    .join(Endpoint, Endpoint.dvh_id == DoseVolumeHistogram.id)
    .where(Endpoint.prescription_gy.is_not_distinct_from(PRESCRIPTION_GY)),
)

VIEWS["v_plans"] = (
    "one plan, with what its beams add up to",
    select(
        *_WHO,
        *_columns_of(Plan, without=("id", "notes")),
        func.count(Beam.id).label("beams"),
        func.min(Beam.energy_min).label("energy_min"),
        func.max(Beam.energy_max).label("energy_max"),
        func.sum(Beam.gantry_range_deg).label("gantry_travel_deg"),
    )
    .select_from(Plan)
    .join(Study, Plan.study_id == Study.id)
    .join(Patient, Study.patient_id == Patient.id)
    .outerjoin(Beam, Beam.plan_id == Plan.id)
    .group_by(Plan.id, Patient.id, Study.id),
)


def drop_views(connection: Connection) -> None:
    """Remove our views, so that the tables below them can change."""
    for name in set(inspect(connection).get_view_names()) & set(VIEWS):
        connection.execute(text(f"DROP VIEW {name}"))


def create_views(connection: Connection) -> None:
    """Create all views that are missing."""
    for name in sorted(set(VIEWS) - set(inspect(connection).get_view_names())):
        query = VIEWS[name][1].compile(connection, compile_kwargs={"literal_binds": True})
        connection.exec_driver_sql(f"CREATE VIEW {name} AS {query}")


def view_columns() -> list[tuple[str, str]]:
    """Return (view, column) of every column of every view."""
    return [(name, column.name) for name, (_, query) in VIEWS.items() for column in query.selected_columns]
