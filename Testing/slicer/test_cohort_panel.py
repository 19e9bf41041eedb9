"""The tab "Cohort" without Qt: what it lists, draws and puts into a scene; its command for imports."""

import subprocess

import pytest

from cohort_tables import fill
from DVHMetricsModuleLib import cohort
from DVHMetricsModuleLib.cohort import Question
from intrepid_cohort.database import initialise
from intrepid_cohort.importing import import_folders
from intrepid_cohort.simulation.cohort import write_cohort
from intrepid_rt.errors import InvalidSetting, MissingObject
from SlicerInTrEPIDLib.command import environment
from SlicerInTrEPIDLib.headless import headless_scene


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("panel")
    write_cohort(folder / "in", patients=3, centres=1, seed=5)
    engine = initialise(folder / "c.db")
    import_folders(engine, [folder / "in"], centre="X", processes=1)
    yield engine, folder
    engine.dispose()


def test_content_is_told(filled):
    engine, _ = filled
    assert cohort.overview(engine).startswith("3 patients of 1 centres")
    assert all(len(row) == len(cohort.PATIENT_COLUMNS) for row in cohort.patients(engine))


def test_questions_and_charts(filled):
    engine, _ = filled
    question = Question("type = PTV\ndose_summation_type = PLAN", "D50%; D2%,")
    assert question.metric_list == ["D50%", "D2%"]
    columns, rows = cohort.ask(engine, question)
    assert columns[-2:] == ["D50%", "D2%"]
    assert len(rows) >= 3
    for kind in ("Population DVH", "Over time", "Control chart", "Correlation"):
        assert cohort.chart(engine, question, kind).title
    with pytest.raises(MissingObject, match="at least one metric"):
        cohort.chart(engine, Question("type = PTV"), "Over time")


def test_centres_are_compared_by_the_first_metric(tmp_path):
    engine = initialise(tmp_path / "c.db")
    fill(engine, 12, 2)
    drawn = cohort.chart(engine, Question("name = organ 1", "D50%, D2%"), "By centre")
    assert drawn.title.startswith("D50%: Kruskal-Wallis, p = ")
    alone = cohort.chart(engine, Question("name = organ 1", "D50%"), "By centre")
    assert drawn.title == alone.title  # the p value is not corrected for what is not shown
    assert [(one.kind, one.name, len(one.y)) for one in drawn.series] == [("box", name, 4) for name in "ABC"]
    with pytest.raises(InvalidSetting, match=r"Only one group \(A\)"):
        cohort.chart(engine, Question("name = organ 1\ncentre = A", "D50%"), "By centre")
    engine.dispose()


def test_a_patient_is_opened(filled):
    engine, _ = filled
    name = cohort.patients(engine)[0][0]
    with headless_scene() as scene:
        nodes, left_out = cohort.open_patient(scene, cohort.files_of_patient(engine, name), name)
        assert set(nodes) == {"CT", "dose", "structures"}
        assert left_out == []
        assert nodes["structures"].GetSegmentation().GetNumberOfSegments() == 6
        assert nodes["structures"].GetName().startswith(f"{name} structures")
        assert nodes["CT"].GetImageData().GetDimensions()[2] > 10
        assert nodes["dose"].GetAttribute("DicomRtImport.DoseVolume") == "1"
    with pytest.raises(MissingObject, match="nothing to open"):
        cohort.files_of_patient(engine, "nobody")


def test_names_are_reviewed(filled):
    engine, _ = filled
    assert "confident" in cohort.map_names(engine)
    rows = cohort.names(engine, only_unsure=False)
    decided = [(*rows[0][:-1], "ok"), *rows[1:]]
    assert cohort.decide_names(engine, decided, person="tester") == 1
    states = {row[1]: row[5] for row in cohort.names(engine, only_unsure=False)}
    assert states[rows[0][1]] == "confirmed"
    assert cohort.decide_names(engine, rows, person="tester") == 0


def test_the_command_imports_single_files_too(filled, tmp_path):
    _, folder = filled
    cohort.create(str(tmp_path / "other.db")).dispose()
    files = sorted((folder / "in" / "centre_1" / "00001").glob("R*.dcm"))
    command = cohort.import_command(str(tmp_path / "other.db"), files, "X")
    done = subprocess.run(command, capture_output=True, text=True, env={**environment()}, check=False)
    assert done.returncode == 0, done.stderr
    assert f'"files_seen": {len(files)}' in done.stdout


def test_files_of_nodes_are_named_once():
    class Node:
        def GetAttribute(self, name):
            return "1.2 1.3" if name == "DICOM.instanceUIDs" else None

    assert cohort.files_of_nodes([Node(), Node()], {"1.2": "a.dcm", "1.3": ""}.get) == ["a.dcm"]
