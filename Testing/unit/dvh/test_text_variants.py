"""Export variants for which no reference exists: the same curve written in several ways must read the same."""

import re
import zipfile

import numpy as np
import pytest

from intrepid_dvh.text.decoding import Options
from intrepid_dvh.text.reading import read_dvh_files
from intrepid_rt.errors import InvalidSetting, MissingObject, UnreadableFile

DOSE = np.arange(0.0, 61.0, 2.0)
VOLUME = 200.0 / (1 + np.exp((DOSE - 30) / 5)) * (1 + np.exp(-6.0))  # 200 cc at 0 Gy
VOLUME[-1] = 0.0
CENTRES = (DOSE[1:] + DOSE[:-1]) / 2
PER_BIN = -np.diff(VOLUME)


def table(*columns, separator="\t"):
    return "\n".join(separator.join(f"{value:.12g}" for value in row) for row in zip(*columns, strict=True))


def eclipse(titles, rows, *, kind="Cumulative", dose="Prescribed dose [Gy]: 60.0", volume="200.0", extra=""):
    return f"""Patient Name : X
Patient ID : E1
Type : {kind} Dose Volume Histogram
Plan: P_60Gy_A
Course: C1
{dose}
% for dose (%): 100.0

Structure: PTV
Volume [cm³]: {volume}
{extra}
{titles}
{rows}
"""


def raystation(rows, unit="Gy", head="", block=""):
    return f"#PatientName:X\n#PatientId:R1\n#Dosename:A\n{head}#RoiName:PTV\n{block}#Unit: {unit}\n{rows}\n"


def masterplan(rows, titles="Bin\tDose\tVolume", mode="Cumulative", volume="Absolute volume - [ccm]"):
    head = f"Patient: X\nPatient Id: M1\nPlan: A\n\nAbsolute dose - [Gy]\n{volume}\n{mode} mode\n\n"
    return f"{head}ROI: PTV\n{titles}\n{rows}\n"


def monaco(rows, units="Bin Width: 2.00(Gy) | Dose Units: Gy | Volume Units: cm³", end="2022-05-16-Mon 14:31:22"):
    head = f"Patient ID: X~O1 | Plan Name: A_60Gy_b | Resolution: 0.30(cm) | {units}"
    lines = "\n".join(f"PTV 1    {row}" for row in rows.split("\n"))
    return f"{head}\n\nStructure Name\t\tDose\tVolume\n{lines}\n\n\n{end}"


def prosoma(rows, kind="Cumulative", titles="Dose [%]\tDose [Gy]\tVolume [%]"):
    return f"X, Y\n{kind} DVH\n\nName: PTV\nVolume [cm³]: 200.0\nMin [Gy]: 1.0\n\n{titles}\n{rows}\n"


def primo(rows, kind="Cumulative", titles="# Dose [Gy]\tRel. Dose [%]\tVolume [%]"):
    head = f"# PRIMO DVH export\n# Project: P\n# Type: {kind}\n#\n# Structure: PTV\n# Volume [cm^3]: 200.0\n"
    return f"{head}{titles}\n# ......\n{rows}\n# ......\n#\n"


def mirada(rows, title="PTV (200.0cm³)\t% of volume"):
    return f"Patient\tX\t03/25/2023\nStudy\tD\n\n{title}\n{rows}\n"


def hiart(rows, volume="Relative Volume (%)"):
    return f"PTV(STANDARD),Dose (Gy),{volume}\n{rows}\n"


PERCENT = VOLUME / 2
RATIO = "Ratio of Total Structure Volume [%]"
CC = "Structure Volume [cm³]"

SAME_CURVE = {
    "eclipse relative": eclipse(f"Dose [Gy] {RATIO}", table(DOSE, PERCENT)),
    "eclipse columns turned round": eclipse(f"{CC} Dose [Gy]", table(VOLUME, DOSE)),
    "eclipse relative dose only": eclipse(f"Relative dose [%] {CC}", table(DOSE / 0.6, VOLUME)),
    "eclipse cGy table, Gy prescription": eclipse(f"Dose [cGy] {CC}", table(DOSE * 100, VOLUME)),
    "eclipse per dose": eclipse(
        "Dose [Gy] dVolume / dDose [cm³ / Gy]", table(CENTRES, PER_BIN / 2), kind="Differential"
    ),
    "eclipse percent per cGy": eclipse(
        "Dose [cGy] dVolume / dDose [% / cGy]",
        table(CENTRES * 100, PER_BIN / 2 / 200),
        kind="Differential",
        dose="Total dose [cGy]: 6000",
    ),
    "eclipse decimal comma": eclipse(
        f"Dose [Gy] {RATIO}",
        table(DOSE + 0.0, PERCENT).replace(".", ","),
        dose="Prescribed dose [Gy]: 60,0",
        volume="200,0",
    ),
    "raystation spaces": raystation(
        table(DOSE, PERCENT, separator=" "), head="#Rx dose: 6000cGy\n", block="#RoiVolume: 200\n"
    ),
    "raystation differential": raystation(
        table(CENTRES * 100, PER_BIN / 2 / 200), "cGy", "#Rx dose: 60 Gy\n", "#RoiVolume: 200\n"
    ),
    "masterplan": masterplan(table(np.arange(DOSE.size), DOSE, VOLUME)),
    "masterplan without bins": masterplan(table(DOSE, VOLUME), titles="Dose\tVolume"),
    "masterplan differential": masterplan(table(np.arange(CENTRES.size), CENTRES, PER_BIN / 2), mode="Differential"),
    "monaco": monaco(table(DOSE, VOLUME, separator="    ")),
    "monaco one blank line, no fixed spacing": monaco(table(DOSE, VOLUME)).replace("\n\n\n2022", "\n\n2022"),
    "monaco decimal comma": monaco(table(DOSE, VOLUME).replace(".", ",")),
    "monaco differential": monaco(table(CENTRES, PER_BIN, separator="  ")),
    "prosoma": prosoma(table(DOSE / 0.6, DOSE, PERCENT)),
    "prosoma absolute": prosoma(table(DOSE, VOLUME), titles="Dose [Gy]\tVolume [cm³]"),
    "prosoma differential": prosoma(table(CENTRES / 0.6, CENTRES, PER_BIN / 2), kind="Differential"),
    "primo": primo(table(DOSE, DOSE / 0.6, PERCENT)),
    "primo absolute": primo(table(DOSE, VOLUME), titles="# Dose [Gy]\tVolume [cm^3]"),
    "primo differential": primo(
        table(CENTRES, CENTRES / 0.6, PER_BIN / 2), "Differential", "# Dose [Gy]\tRel. Dose [%]\tdV/dD [%]"
    ),
    "mirada": mirada(table(DOSE, PERCENT)),
    "mirada absolute, name with blanks": mirada(table(DOSE, VOLUME), "PTV boost (200.0 cm³)\tVolume (cm³)"),
    "hiart": hiart(table(np.full(DOSE.size, 0), DOSE, PERCENT, separator=",").replace("\n0,", "\n,")),
    "hiart differential": hiart(
        table(np.zeros(CENTRES.size), CENTRES, PER_BIN / 2, separator=","), "Absolute Volume (cc)"
    ),
}
INFO = Options(
    volume_from_dvh=True,
    prescription_from_plan=True,
    info={"doseRx": "60Gy", "structVol": {"PTV": 200, "PTV boost": 200}},
)


@pytest.mark.parametrize("name", SAME_CURVE)
def test_one_curve_reads_the_same_in_every_variant(tmp_path, name):
    path = tmp_path / "export.txt"
    path.write_text(SAME_CURVE[name], encoding="utf-8")
    [dvh] = read_dvh_files([path], options=INFO)
    assert np.allclose(dvh.dose_gy, DOSE, atol=1e-9)
    assert np.allclose(dvh.volume_cc, VOLUME, atol=1e-6)
    assert np.allclose(dvh.volume_percent, PERCENT, atol=1e-6)
    assert dvh.metric("V30Gy_cc").value == pytest.approx(np.interp(30, DOSE, VOLUME), abs=1e-6)
    assert dvh.metric("D50%_Gy").value == pytest.approx(np.interp(-50, -PERCENT, DOSE), abs=1e-5)


def test_electronvolts_per_gram_convert_to_nothing(tmp_path):
    path = tmp_path / "primo.txt"
    path.write_text(primo(table(DOSE, PERCENT), titles="# Dose [eV/g]\tVolume [%]"))
    [dvh] = read_dvh_files([path])
    assert (dvh.dose_unit, dvh.header["doseUnit"]) == ("EV/G", "EV/G")
    own = dvh.metric("D50%")
    assert (own.value, own.unit) == (pytest.approx(np.interp(-50, -PERCENT, DOSE)), "eV/g")
    for text in ("V20Gy", "D50%_Gy", "DMEAN_cGy"):
        assert dvh.metric(text).value is None
        assert "cannot be converted" in dvh.metric(text).reason


def test_relative_doses_of_monaco_leave_the_absolute_unknown(tmp_path):
    path = tmp_path / "monaco.txt"
    units = "Bin Width: 0.50(Gy) | Dose Units: % | Volume Units: %"
    path.write_text(monaco(table(DOSE / 0.6, PERCENT, separator=" "), units), encoding="utf-8")
    [dvh] = read_dvh_files([path])
    assert np.isnan(dvh.dose_gy).all()
    assert dvh.metric("V50%").value == pytest.approx(np.interp(30, DOSE, PERCENT), abs=1e-6)
    assert dvh.metric("D50%_%").value == pytest.approx(np.interp(-50, -PERCENT, DOSE) / 0.6, abs=1e-5)
    for text in ("V20Gy", "D50%", "DMEAN", "DMAX"):
        assert dvh.metric(text).value is None, text


def test_pinnacle_reads_zip_files_and_unsorted_lists(golden, tmp_path):
    folder = golden / "tps_dvh" / "pinnacle" / "patient_cumulative_cgy"
    path = tmp_path / "plan.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.rglob("*.csv"):
            text = file.read_text()
            if file.name == "Info.csv":
                head, *rows = text.strip().split("\n")
                text = "\n".join([head, *reversed(rows)])
            archive.writestr(f"patient/{file.relative_to(folder)}", text)
    unsorted = {dvh.structure: dvh for dvh in read_dvh_files([path])}
    for dvh in read_dvh_files([folder]):
        assert np.array_equal(dvh.volume_cc, unsorted[dvh.structure].volume_cc)
        assert dvh.fractions == 28


BAD = {
    "a word in a table": (SAME_CURVE["eclipse relative"].replace("\n10\t", "\nten\t"), "line 18", "2 numbers"),
    "a missing column": (
        re.sub(r"\n10\t.*", "\n10", SAME_CURVE["raystation spaces"].replace(" ", "\t")),
        "line",
        "numbers",
    ),
    "no table": (eclipse("", ""), "", "known"),
    "no unit": (SAME_CURVE["raystation spaces"].replace("#Unit: Gy", "#Unit: Sv"), "line 7", "#Unit: Gy"),
    "a row cut short": (monaco(table(DOSE, VOLUME), end=""), None, None),
    "descending dose": (SAME_CURVE["mirada"].replace("\n10\t", "\n1\t"), "row 6", "must not decrease"),
    "relative MasterPlan dose": (
        SAME_CURVE["masterplan"].replace("Absolute dose - [Gy]", "Relative dose - [%]"),
        "line 5",
        "Absolute",
    ),
    "something else": ("Dear colleague,\nplease find attached\n", "", "no DVH export"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_malformed_file_names_its_line(tmp_path, name):
    text, place, expected = BAD[name]
    path = tmp_path / "export.txt"
    if place is None:
        text = text.rstrip().rsplit(" ", 1)[0] + " 1 2 x\n"
        place, expected = "line 34", "a structure name"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UnreadableFile) as failure:
        read_dvh_files([path])
    assert place in str(failure.value)
    assert expected in str(failure.value)
    assert "export.txt" in str(failure.value)


def test_wrong_calls_say_what_to_do(tmp_path):
    with pytest.raises(MissingObject, match="does not exist"):
        read_dvh_files([tmp_path / "nothing.txt"])
    path = tmp_path / "export.txt"
    path.write_bytes(b"#RoiName:\xff\n")
    with pytest.raises(UnreadableFile, match="line 1: not valid utf-8; try --encoding latin1"):
        read_dvh_files([path], options=Options(encoding="utf-8"))
    with pytest.raises(InvalidSetting, match="'klingon' is unknown"):
        read_dvh_files([path], options=Options(encoding="klingon"))
    with pytest.raises(InvalidSetting, match="for 2 files, but there are 1"):
        read_dvh_files([path], options=[Options(), Options()])
    path.write_bytes(b"Structure: \0\0")
    with pytest.raises(UnreadableFile, match="binary"):
        read_dvh_files([path])


def test_information_that_makes_no_sense_is_refused(tmp_path):
    path = tmp_path / "hiart.csv"
    path.write_text(SAME_CURVE["hiart"])
    with pytest.raises(InvalidSetting, match=r"50\.4Gy"):
        read_dvh_files([path], options=Options(info={"doseRx": "sixty"}))
    with pytest.raises(InvalidSetting, match="in cc by name"):
        read_dvh_files([path], options=Options(info={"structVol": {"PTV": 1}, "volumeUnit": "PERCENT"}))


def test_a_part_outside_the_dose_grid_is_reported(tmp_path):
    path = tmp_path / "raystation.txt"
    text = SAME_CURVE["raystation spaces"].replace(
        "#RoiVolume", "#Roi volume fraction outside grid: 2.5 [%]\n#RoiVolume"
    )
    path.write_text(text)
    [dvh] = read_dvh_files([path])
    assert dvh.volume_outside_dose_cc == pytest.approx(5.0)
    assert "2.5 % of PTV lie outside" in dvh.warnings[0]


def test_a_prescription_without_unit_is_taken_in_that_of_the_doses_and_said(tmp_path):
    path = tmp_path / "raystation.txt"
    path.write_text(raystation(table(DOSE * 100, PERCENT), "cGy", "#Rx dose: 6000\n"))
    [dvh] = read_dvh_files([path])
    assert dvh.prescription_gy == pytest.approx(60)
    assert "has no unit" in dvh.warnings[0]


def test_tables_may_have_semicolons_and_decimal_commas(tmp_path):
    curves = tmp_path / "x_curves.csv"
    header = "structure;volumeRel;dose;patID;volume;doseRel;row"
    rows = [
        "PTV (ü), 1.5;100;0;P-9;50,5;0;1",
        "PTV (ü), 1.5;100;10,5;P-9;50,5;21;2",
        "PTV (ü), 1.5;0;20,25;P-9;0;40,5;3",
    ]
    curves.write_text("\ufeff" + "\r\n".join([header, *rows]) + "\r\n", encoding="utf-8")
    names = "structure;patID;doseUnit;volumeUnit;structVol;doseRx;isoDoseRx"
    (tmp_path / "x_header.csv").write_text(f"{names}\nPTV (ü), 1.5;P-9;GY;CC;50,5;50;100\n", encoding="utf-8")
    [dvh] = read_dvh_files([curves])
    assert (dvh.structure, dvh.patient_id, dvh.structure_volume_cc) == ("PTV (ü), 1.5", "P-9", 50.5)
    assert dvh.metric("D50%").value == pytest.approx(15.375)
    curves.write_text(curves.read_text(encoding="utf-8").replace("20,25", "20.25"), encoding="utf-8")
    with pytest.raises(UnreadableFile, match=r"line 3: dose is '10,5'; expected a number"):
        read_dvh_files([curves])


def test_a_table_cut_short_says_so(tmp_path):
    """Whole, in the middle of a line, and with falling doses."""
    rows = ["patID,structure,dose,doseRel,volume,volumeRel"]
    rows += [f"P1,PTV,{dose},,{volume:.6g}," for dose, volume in zip(DOSE, VOLUME, strict=True)]
    path = tmp_path / "plan_curves.csv"
    path.with_name("plan_header.csv").write_text("patID,structure,doseUnit,volumeUnit\nP1,PTV,GY,CC\n")

    def warnings(text):
        path.write_text(text)
        (found,) = read_dvh_files([path], format="table")
        return " ".join(found.warnings)

    whole = "\n".join(rows) + "\n"
    assert "cut short" not in warnings(whole)
    cut = whole[: whole.index("P1,PTV,30.0") + len("P1,PTV,30.0,")]
    assert "of the volume left: the file may be cut short" in warnings(cut)
    with pytest.raises(UnreadableFile, match="doses must not decrease"):
        warnings("\n".join([rows[0], *reversed(rows[1:])]) + "\n")


def test_prosoma_statistics_may_be_in_another_unit_than_the_table(tmp_path):
    path = tmp_path / "prosoma.txt"
    path.write_text(SAME_CURVE["prosoma"].replace("Min [Gy]: 1.0", "Min [cGy]: 150.0"))
    [dvh] = read_dvh_files([path])
    assert dvh.stated.min_gy == pytest.approx(1.5)


def test_a_volume_that_is_no_number_is_refused(tmp_path):
    path = tmp_path / "hiart.csv"
    path.write_text(SAME_CURVE["hiart"])
    with pytest.raises(InvalidSetting, match="volume of PTV is given as 'much'"):
        read_dvh_files([path], options=Options(info={"structVol": {"PTV": "much"}}))
