import re

import pytest

from intrepid_dvh.constraint_files import parse_constraint_table, read_constraint_table
from intrepid_dvh.constraint_grammar import parse_constraint
from intrepid_dvh.constraints import Constraint, check_constraints, unmatched
from intrepid_rt.errors import UnreadableFile

COLUMNS = {
    "observed": "observed",
    "deltaV": "delta_volume",
    "deltaVpc": "delta_volume_percent",
    "deltaD": "delta_dose",
    "deltaDpc": "delta_dose_percent",
    "dstMin": "distance",
    "dstMinRel": "distance_percent",
    "ptMinD": "nearest_dose",
    "ptMinV": "nearest_volume",
}
FOUR = ("HEART", "AOVALVE", "AMYOCR", "AVNODE")
VERDICT = {"TRUE": True, "FALSE": False, "NA": None}


def scope(curves, data):
    """The DVHs that a case of the reference is about."""
    if "SYN1" in data:
        return [dvh for dvh in curves.values() if dvh.patient_id == "SYN1"]
    if data.startswith("one DVH"):
        return [curves["P345", "HEART"]]
    patients = [p for p in ("P123", "P345") if p in data] or ["P123", "P234", "P345"]
    structures = FOUR if "restricted" in data else {structure for _, structure in curves}
    return [d for d in curves.values() if d.patient_id in patients and d.structure in structures]


def constraint_of(row):
    patterns = [None if "(" in row[name] else row[name] for name in ("patID", "structure")]
    return Constraint(row["constraint"], *(p or "*" for p in patterns))


def run(curves, rows, arguments):
    args = arguments(rows[0]["args"])
    fields = {"constraint": "constraint", "observed": "observed", "patID": "patient_id", "structure": "structure"}
    return check_constraints(
        scope(curves, rows[0]["data"]),
        [constraint_of(row) for row in rows],
        interp=args.pop("interp", "linear"),
        signed=args.pop("semSign", False),
        sort_by=[fields[name] for name in args.pop("sortBy", [])],
        **{name: value for name, value in args.items() if name != "byPat"},
    )


def differences(found, expected, number, agrees, *, spline=False):
    by_key = {(r.patient_id, r.structure, r.constraint): r for r in found}
    for row in expected:
        key = (row["patID"], row["structure"], row["constraint"])
        result = by_key.pop(key)
        if result.compliance is not VERDICT[row["compliance"]]:
            yield key, "compliance", result
        for column, field in COLUMNS.items():
            # The inverse of a D metric is a V metric, for which R's spline fails (Q-VSPLINE).
            if spline and column in ("deltaV", "deltaVpc") and row[column] == "NA":
                continue
            if not agrees(getattr(result, field), number(row[column])):
                yield key, column, getattr(result, field), row[column]
    # R loses the rows of further structures for which the metric is missing, as it does in case C18.
    yield from [key for key, result in by_key.items() if result.observed is not None]


CASES = [f"C{n:02d}" for n in range(1, 21) if n not in (17, 18)]


@pytest.mark.parametrize("case", CASES)
def test_every_case_agrees_with_r(oracle, curves, number, agrees, arguments, case):
    rows = [row for row in oracle("constraint_cases") if row["case"] == case]
    expected = [row for row in oracle("constraints") if row["case"] == case]
    found = run(curves, rows, arguments)
    assert expected
    spline = "spline" in rows[0]["args"]
    assert list(differences(found, expected, number, agrees, spline=spline)) == []


@pytest.mark.parametrize("case", ["C14", "C20"])
def test_sorted_results_come_in_rs_order(oracle, curves, arguments, case):
    rows = [row for row in oracle("constraint_cases") if row["case"] == case]
    expected = [row for row in oracle("constraints") if row["case"] == case]
    found = run(curves, rows, arguments)
    observed = [f"{r.observed:.9g}" for r in found]
    assert observed == [f"{float(row['observed']):.9g}" for row in expected]


def test_smooth_and_several_unanswerable_constraints_return_their_rows(oracle, curves, arguments):
    for case in ("C17", "C18"):  # R stops with an error here
        rows = [row for row in oracle("constraint_cases") if row["case"] == case]
        found = run(curves, rows, arguments)
        assert len(found) == 12
    assert all(r.compliance is None and r.reason and r.delta_volume < 0 for r in found)


def test_constraint_grammar_agrees_with_r(oracle, number):
    rows = oracle("constraint_grammar")
    assert len(rows) == 36
    for row in rows:
        parsed = parse_constraint(row["input"], row["dvhDoseUnit"])
        assert parsed.valid == (row["valid"] == "TRUE"), row
        if parsed.valid:
            assert (parsed.canonical, parsed.metric.canonical, parsed.comparator, parsed.unit, parsed.inverse) == (
                *(row["canonical"], row["metric"], row["cmp"], row["unitCmp"], row["metricInv"]),
            ), row
            assert parsed.limit == (number(row["valCmp"]) or pytest.approx(float("nan"), nan_ok=True))
            assert bool(parsed.missing) == ("NA" in row["canonical"])


def test_constraint_files_agree_with_r(oracle, curves, golden, number, agrees):
    checked = oracle("constraints_files_checked")
    for case, name in (("F1", "constraints_tab.txt"), ("F2", "constraints_comma.csv")):
        constraints = read_constraint_table(golden / "dvhmetrics" / name)
        read = [row for row in oracle("constraints_files_read") if row["file"] == name]
        assert [(c.text, c.patient, c.structure) for c in constraints] == [
            (row["constraint"], row["patID"], row["structure"]) for row in read
        ]
        dvhs = [dvh for dvh in curves.values() if dvh.patient_id != "SYN1"]
        expected = [row for row in checked if row["case"] == case]
        assert list(differences(check_constraints(dvhs, constraints), expected, number, agrees)) == []


def test_a_misspelt_structure_is_reported(curves, oracle):
    rows = oracle("dataConstr")
    misspelt = [Constraint(row["constraint"], row["patID"], row["structure"]) for row in rows]
    assert unmatched([d for d in curves.values() if d.structure != "AMYOCL"], misspelt) == [misspelt[1]]


def test_constraints_may_be_pasted_as_a_plain_list():
    plain = [Constraint("D95% > 50 Gy"), Constraint("DMEAN < 10Gy")]
    assert parse_constraint_table("D95% > 50 Gy\n# a remark\nDMEAN < 10Gy\n", "clipboard") == plain
    assert parse_constraint_table('constraint\n"D95% > 50 Gy"\nDMEAN < 10Gy', "clipboard") == plain
    assert parse_constraint_table('structure constraint\nPTV* "D95% > 50 Gy"\n', "clipboard") == [
        Constraint("D95% > 50 Gy", structure="PTV*")
    ]


@pytest.mark.parametrize(
    "text",
    [
        '"constraint" "structure"\r\n"1" "D95% > 50 Gy" "PTV*"\r\n',  # write.table of R: rows are numbered
        "\ufeffStructure;CONSTRAINT;PatID\nPTV*;D95% > 50 Gy;*\n",
        "patID\tstructure\tconstraint\n\tPTV*\tD95% > 50 Gy\n",
    ],
)
def test_tables_come_with_row_names_byte_order_marks_and_columns_in_any_order(text):
    assert parse_constraint_table(text, "clipboard") == [Constraint("D95% > 50 Gy", structure="PTV*")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("structure dose\nPTV 3", "line 1: the columns are structure, dose"),
        ("structure constraint\nPTV D95% > 50Gy", "line 2 has 4 fields"),
        ("structure;constraint\nPTV;", "line 2 holds no constraint"),
        ("DMEAN < 10Gy\nDMEAN ~ 10Gy", "line 2: DMEAN ~ 10Gy: expected a metric"),
    ],
)
def test_a_bad_table_names_its_line(text, message):
    with pytest.raises(UnreadableFile, match=re.escape(message)):
        parse_constraint_table(text, "clipboard")
