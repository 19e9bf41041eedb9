"""The language of conditions: what it means, and what it refuses."""

import pytest
from sqlalchemy.orm import Session

from intrepid_cohort import schema
from intrepid_cohort.database import initialise
from intrepid_cohort.endpoints import DEFAULT_METRICS, drop_endpoints, store_endpoints
from intrepid_cohort.packing import pack_curve
from intrepid_cohort.query import query_dvhs, query_groups
from intrepid_cohort.saved_queries import Question, forget, load, save, saved_names
from intrepid_rt.errors import InvalidSetting, MissingObject


def _patient(session, number, *, centre, sex, day, structures):
    study = schema.Study(study_instance_uid=f"1.2.{number}", study_date=day)
    session.add(schema.Patient(pseudonym=f"P{number}", centre=centre, patient_sex=sex, studies=[study]))
    study.plans = [schema.Plan(sop_instance_uid=f"1.4.{number}", file_sha256="", prescription_dose_gy=40.0)]
    sets = schema.StructureSet(sop_instance_uid=f"1.3.{number}", file_sha256="", frame_of_reference_uid="",
                               referenced_series_uid="")  # fmt: skip
    dose = schema.Dose(
        sop_instance_uid=f"1.5.{number}", file_sha256="", referenced_plan_uid=f"1.4.{number}",
        dose_summation_type="PLAN", dose_type="PHYSICAL", frame_of_reference_uid="", grid_x_mm=1, grid_y_mm=1,
        grid_z_mm=1, grid_columns=1, grid_rows=1, grid_frames=1, max_gy=50,
    )  # fmt: skip
    study.structure_sets, study.doses = [sets], [dose]
    for roi, (name, mean_gy) in enumerate(structures.items()):
        structure = schema.Structure(roi_number=roi, roi_name=name, contour_count=1)
        sets.structures.append(structure)
        # A flat histogram from 0 to twice the mean: D_V% = 2 mean (1 - V/100), V_D = 1 - D / (2 mean).
        volume_cc = [10.0 * (1 - k / (200 * mean_gy)) for k in range(int(200 * mean_gy))] + [0.0]
        dose.dvhs.append(schema.DoseVolumeHistogram(
            structure=structure, volume_cc=10.0, min_gy=0.0, max_gy=2 * mean_gy, mean_gy=mean_gy, sd_gy=1.0,
            median_gy=mean_gy, bin_width_gy=0.01, cumulative_volume_cc=pack_curve(volume_cc), warnings=[], engine="",
            engine_settings={}, dose_sha256="", structure_set_sha256=""))  # fmt: skip


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    from datetime import date

    engine = initialise(tmp_path_factory.mktemp("db") / "c.db")
    with Session(engine) as session:
        _patient(session, 1, centre="A", sex="F", day=date(2024, 6, 1), structures={"Heart": 5.0, "Lung (L)": 10.0})
        _patient(session, 2, centre="B", sex="M", day=date(2024, 6, 30), structures={"Heart": 6.0, "Lung and rib": 9.0})
        _patient(session, 3, centre="C", sex=None, day=None, structures={"Herz": 7.0, "=x": 20.0})
        session.commit()
    yield engine
    engine.dispose()


def asked(engine, *conditions, **more):
    return [(row["pseudonym"], row["roi_name"]) for row in query_dvhs(engine, conditions, **more)]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("name ~ heart|herz and mean_gy = 5.5..7", {"P2 Heart", "P3 Herz"}),
        ("(centre = A or centre = B) and not name = Heart", {"P1 Lung (L)", "P2 Lung and rib"}),
        ("not (centre = A or centre = B)", {"P3 Herz", "P3 =x"}),
        ("name = Lung (L)", {"P1 Lung (L)"}),
        ('name = "Lung and rib"', {"P2 Lung and rib"}),
        ('name = "Lung and rib" or name = "=x"', {"P2 Lung and rib", "P3 =x"}),
        ("date = 2024-06", {"P1 Heart", "P1 Lung (L)", "P2 Heart", "P2 Lung and rib"}),
        ("date = 2024-06-02..2024 AND name ~ h*", {"P2 Heart"}),
        ("date > 2024-06-01 and name ~ *t", {"P2 Heart"}),
        ("date <= 2024-06-01 and name ~ *t", {"P1 Heart"}),
        ("sex = none and not mean_gy < 8", {"P3 =x"}),
        ("sex != none and name ~ heart", {"P1 Heart", "P2 Heart"}),
        ("D50% >= 9 and D50% < 15", {"P1 Lung (L)", "P2 Lung and rib"}),
        ("V10Gy = 0", {"P1 Heart"}),
        ("centre = A|B and mean_gy = 5|6", {"P1 Heart", "P2 Heart"}),
        ("prescription = 40 and name = Herz", {"P3 Herz"}),
    ],
)
def test_conditions_mean_what_they_say(engine, condition, expected):
    assert {" ".join(pair) for pair in asked(engine, condition)} == expected


@pytest.mark.parametrize(
    "condition",
    ["", "and", "name", "nonsense = 1", "D95 >= 3", "mean_gy = a", "mean_gy = 1..2..3", "mean_gy > 1|2", "date = soon",
     "(centre = A", "centre = A or", "not"],
)  # fmt: skip
def test_what_means_nothing_is_refused(engine, condition):
    with pytest.raises(InvalidSetting):
        asked(engine, condition)


def test_metrics_come_from_the_curve_and_are_kept(engine):
    """A flat histogram has its metrics on paper; a second query finds them stored and gives the same."""
    drop_endpoints(engine, ["D20%", "V4GY", "V50%"])
    rows = [list(query_dvhs(engine, ["name = Heart"], metrics=["D20%", "V4Gy", "V50%"])) for _ in range(2)]
    assert rows[0] == rows[1]
    assert [row["D20%"] for row in rows[0]] == pytest.approx([8.0, 9.6], abs=1e-4)
    assert [row["V4Gy"] for row in rows[0]] == pytest.approx([60.0, 100 * (1 - 4 / 12)], abs=1e-3)
    assert [row["V50%"] for row in rows[0]] == [0.0, 0.0]  # 20 Gy
    assert drop_endpoints(engine, ["D20%"]) == 2


def test_models_keep_their_parameters_apart(engine):
    """The generalised EUD of a flat histogram from 0 to 2m is 2m / (1 + a)^(1/a)."""
    for a in (1.0, 2.0, 8.0):
        (row,) = query_dvhs(engine, ["name = Herz"], metrics=["DEUD"], EUDa=a)
        assert row["DEUD"] == pytest.approx(14.0 / (1 + a) ** (1 / a), rel=1e-4)


def test_another_prescription_makes_values_anew(engine):
    def coverage():
        return [row["V25%"] for row in query_dvhs(engine, ["name = Heart", "centre = A"], metrics=["V25%"])]

    assert coverage() == [pytest.approx(0.0, abs=0.1)]  # 10 Gy, the maximum
    with Session(engine) as session:
        session.query(schema.Plan).where(schema.Plan.sop_instance_uid == "1.4.1").update({"prescription_dose_gy": 20.0})
        session.commit()
    assert coverage() == [pytest.approx(50.0, abs=0.1)]  # 5 Gy


def test_a_slip_in_a_metric_loses_no_table(engine):
    (row, _) = query_dvhs(engine, ["name = Heart"], metrics=["D95%", "Q7"])
    assert row["D95%"] is not None
    assert row["Q7"] is None
    assert "expected a metric" in row["Q7 reason"]


def test_endpoints_are_stored_for_all_at_once(engine):
    assert store_endpoints(engine, ["D33%"]) == 6
    assert store_endpoints(engine, ["D33%"]) == 0
    assert len(DEFAULT_METRICS) > 5


def test_groups_carry_their_name(engine):
    rows = list(query_groups(engine, {"a": ["centre = A"], "rest": ["not centre = A"]}, ["name ~ heart|herz"]))
    assert [(row["group"], row["pseudonym"]) for row in rows] == [("a", "P1"), ("rest", "P2"), ("rest", "P3")]


def test_saved_queries_come_back(engine):
    question = Question(["name = Heart"], {"A": ["centre = A"]}, ["pseudonym"], ["D95%"], {"EUDa": 2.0})
    save(engine, "hearts", question)
    assert load(engine, "hearts") == question
    assert list(load(engine, "hearts").ask(engine)) == list(question.ask(engine))
    assert saved_names(engine) == ["hearts"]
    forget(engine, "hearts")
    with pytest.raises(MissingObject, match="saved are: none"):
        load(engine, "hearts")
