"""``intrepid cohort`` and ``intrepid simulate cohort`` as a user types them."""

import csv
import json
import shutil

import pytest

from intrepid_cli.main import run


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """Folder of synthetic patients and the database they were imported into."""
    folder = tmp_path_factory.mktemp("cli")
    assert run(["simulate", "cohort", str(folder / "in"), "--patients", "2", "--seed", "5"]) == 0
    database = str(folder / "cohort.db")
    assert run(["cohort", "init", database]) == 0
    assert run(["cohort", "import", str(folder / "in"), "--database", database, "--processes", "1"]) == 0
    return folder, database


def answer(capsys, *arguments):
    code = run([*arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_import_lists_every_file_it_does_not_use(filled, capsys, tmp_path):
    folder, database = filled
    listed = tmp_path / "unused.csv"
    code, found = answer(
        capsys, "cohort", "import", str(folder / "in"), "--database", database, "--unused", str(listed)
    )
    assert code == 0
    assert found["files_read"] == 0
    left_out = [str(folder / "in" / name) for name in ("rules.json", "truth.json")]
    assert [entry["file"] for entry in found["unused"]] == left_out
    with listed.open() as file:
        assert [row["file"] for row in csv.DictReader(file)] == left_out


def test_query_on_screen_and_to_files(filled, capsys, tmp_path):
    _, database = filled
    code, found = answer(
        capsys, "cohort", "query", "--database", database, "--where", "roi_name ~ ptv*", "--metric", "D95%",
        "--metric", "Nonsense"
    )  # fmt: skip
    assert code == 0
    rows = found["rows"]
    assert len(rows) == 3
    for row in rows:
        assert row["min_gy"] < row["D95%"] < row["mean_gy"]
        assert row["Nonsense"] is None
        assert row["Nonsense reason"]
    out = tmp_path / "rows.csv"
    run(
        ["cohort", "query", "--database", database, "--where", "roi_name ~ ptv*", "--metric", "D95%", "--out", str(out)]
    )
    with out.open() as file:
        assert [float(row["D95%"]) for row in csv.DictReader(file)] == [row["D95%"] for row in rows]
    run(["cohort", "query", "--database", database, "--where", "mean_gy > 1000"])
    assert "0 rows" in capsys.readouterr().out


def test_export_as_csv_has_every_table_and_a_dictionary(filled, capsys, tmp_path):
    _, database = filled
    code, found = answer(capsys, "cohort", "export", str(tmp_path / "csv"), "--database", database)
    assert code == 0
    assert found["rows"]["patients"] == 2
    with (tmp_path / "csv" / "dictionary.csv").open() as file:
        described = {(row["table"], row["column"]) for row in csv.DictReader(file)}
    for name in found["rows"]:
        with (tmp_path / "csv" / f"{name}.csv").open() as file:
            reader = csv.DictReader(file)
            assert {(name, column) for column in reader.fieldnames} <= described
            assert sum(1 for _ in reader) == found["rows"][name]
    with (tmp_path / "csv" / "dvhs.csv").open() as file:
        for row in csv.DictReader(file):
            curve = json.loads(row["cumulative_volume_cc"])
            assert curve[0] == pytest.approx(float(row["volume_cc"]), rel=1e-6)
            assert len(curve) == int(float(row["max_gy"]) / 0.01) + 2


def test_export_as_json_is_one_object(filled, capsys, tmp_path):
    _, database = filled
    _, found = answer(capsys, "cohort", "export", str(tmp_path / "c.json"), "--database", database, "--format", "json")
    tables = json.loads((tmp_path / "c.json").read_text())
    assert {name: len(rows) for name, rows in tables.items()} == found["rows"]
    assert "settings" not in tables  # the key of the pseudonyms


def test_export_for_other_programs(filled, capsys, tmp_path):
    """Each format read back by the program of its makers holds every row; a name that looks like a formula is none."""
    import openpyxl
    import pandas

    _, database = filled
    counts = {}
    for kind, name in (("excel", "c.xlsx"), ("stata", "stata"), ("parquet", "parquet")):
        code, found = answer(capsys, "cohort", "export", str(tmp_path / name), "--database", database, "--format", kind)
        assert code == 0
        counts[kind] = found["rows"]
    assert counts["excel"] == counts["stata"] == counts["parquet"]
    book = openpyxl.load_workbook(tmp_path / "c.xlsx", read_only=True)
    assert sum(1 for _ in book["structures"].rows) == counts["excel"]["structures"] + 1
    stata = pandas.read_stata(tmp_path / "stata" / "dvhs.dta")
    parquet = pandas.read_parquet(tmp_path / "parquet" / "dvhs.parquet")
    assert stata["mean_gy"].tolist() == parquet["mean_gy"].tolist()
    assert parquet["cumulative_volume_cc"][0][0] == pytest.approx(parquet["volume_cc"][0], rel=1e-6)
    book.close()


@pytest.mark.parametrize("suffix", [".csv", ".json", ".xlsx", ".dta", ".parquet"])
def test_rows_as_a_file_of_any_kind(tmp_path, suffix):
    import pandas

    from intrepid_cohort.row_files import write_rows

    rows = [{"roi_name": "=1+1", "D95%": 40.5}, {"roi_name": "Heart", "D95%": None, "D95% reason": "none"}]
    write_rows(tmp_path / f"rows{suffix}", rows, ["roi_name", "D95%", "D95% reason"])
    readers = {".csv": pandas.read_csv, ".json": pandas.read_json, ".xlsx": pandas.read_excel,
               ".dta": pandas.read_stata, ".parquet": pandas.read_parquet}  # fmt: skip
    frame = readers[suffix](tmp_path / f"rows{suffix}")
    assert frame.iloc[:, 0].tolist() == ["=1+1", "Heart"]
    assert frame.iloc[0, 1] == 40.5
    assert pandas.isna(frame.iloc[1, 1])


def test_methods_paragraph_has_the_counts(filled, capsys):
    code, found = answer(capsys, "cohort", "export", "--methods", "--database", filled[1])
    assert code == 0
    assert "2 patients of 1 centre" in found["methods"]
    assert "intrepid_dvh" in found["methods"]


def test_deidentified_dicom_of_chosen_patients(filled, capsys, tmp_path):
    import pydicom

    _, database = filled
    arguments = ["cohort", "export", str(tmp_path / "out"), "--database", database, "--format", "dicom",
                 "--where", "roi_name ~ ptv*", "--key", str(tmp_path / "key")]  # fmt: skip
    code, found = answer(capsys, *arguments)
    assert code == 0
    assert (found["patients"], found["identifiers_left"]) == (2, [])
    written = [pydicom.dcmread(path) for path in (tmp_path / "out").rglob("*.dcm")]
    assert len(written) == found["files"] > 50
    assert all(str(one.PatientID).startswith("P-") for one in written)
    assert run([*arguments[:-4], "--where", "mean_gy > 900"]) == 2
    assert "no patient" in capsys.readouterr().err.lower()


def test_sql_views_give_what_queries_give(filled, capsys):
    import sqlite3

    _, database = filled
    _, found = answer(capsys, "cohort", "query", "--database", database, "--metric", "D95%", "--where", "name ~ ptv*")
    with sqlite3.connect(database) as connection:
        query = "select pseudonym, value from v_endpoints where metric = 'D95%' and roi_name like 'PTV%'"
        values = sorted(connection.execute(query).fetchall())
    connection.close()
    assert values == sorted((row["pseudonym"], row["D95%"]) for row in found["rows"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["query", "--database", "none.db"], "intrepid cohort init none.db"),
        (["query", "--database", "{db}", "--where", "nonsense = 1"], "--columns"),
        (["import", "no/such/folder", "--database", "{db}"], "is no folder"),
        (["init", "{db}", "--pseudonym-key", "{key}"], "at least 32"),
    ],
)
def test_errors_are_one_line_with_the_way_out(filled, capsys, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "short.key").write_text("short")
    arguments = [text.format(db=filled[1], key=tmp_path / "short.key") for text in arguments]
    assert run(["cohort", *arguments]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert len(error.splitlines()) == 1


def test_columns_are_listed(filled, capsys):
    code, found = answer(capsys, "cohort", "query", "--database", "unused", "--columns")
    assert code == 0
    assert {"structures.roi_name", "target_geometry.ptv_overlap_cc", "beams.energy_max"} <= set(found["columns"])


def test_the_ptv_is_chosen_and_a_patient_deleted(filled, capsys, tmp_path):
    _, whole = filled
    database = str(tmp_path / "c.db")
    shutil.copy(whole, database)
    _, found = answer(capsys, "cohort", "query", "--database", database, "--show", "structure_sets.sop_instance_uid",
                      "--show", "roi_number", "--where", "roi_name ~ heart|hrt")  # fmt: skip
    row = found["rows"][0]
    why = ("--database", database, "--reason", "drawn as tumour", "--by", "A. Physicist")
    uid, number = row["structure_sets.sop_instance_uid"], str(row["roi_number"])
    assert answer(capsys, "cohort", "edit", "ptv", uid, number, *why) == (
        0,
        {"patients_imported": 1, "failures": []},
    )
    _, listed = answer(capsys, "cohort", "edit", "list", "--database", database)
    (edit,) = listed["edits"]
    assert (edit["new_value"], edit["edited_by"], edit["active"]) == ([int(number)], "A. Physicist", True)
    assert answer(capsys, "cohort", "edit", "undo", "1", "--database", database)[0] == 0
    name = row["pseudonym"]
    code, dry = answer(capsys, "cohort", "edit", "delete", name, *why)
    assert (code, dry["applied"], dry["rows"]["structure_sets"]) == (0, False, 1)
    assert answer(capsys, "cohort", "edit", "delete", name, *why, "--apply")[1]["rows"] == dry["rows"]
    assert run(["cohort", "edit", "delete", name, *why]) == 2
    assert "holds no patient" in capsys.readouterr().err
