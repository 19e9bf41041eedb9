"""Images assigned to beams by hand override what files say, and the report tells."""

import numpy as np
import pytest

from builders import write_treatment
from frame_builders import write_raw
from intrepid_cli.verification.selection import select
from intrepid_cli.verification.settings import parse_assignment
from intrepid_rt.errors import AmbiguousInput, InvalidSetting, MissingObject
from intrepid_rt.scan import scan


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    folder = tmp_path_factory.mktemp("assigned")
    write_treatment(folder)
    return scan(folder)


def chosen(studies, *assigned):
    selection = select(studies, assigned)
    return {beam.number: image.path.name for beam, image in selection.beams}, selection.notes


def test_without_assignment_files_tell(studies):
    assert chosen(studies)[0] == {1: "RTIMAGE_1.dcm", 2: "RTIMAGE_2.dcm"}


def test_images_can_be_exchanged_and_the_notes_say_so(studies):
    beams, notes = chosen(studies, (1, "RTIMAGE_2.dcm"), (2, "RTIMAGE_1.dcm"))
    assert beams == {1: "RTIMAGE_2.dcm", 2: "RTIMAGE_1.dcm"}
    assert "By hand: RTIMAGE_2.dcm was assigned to beam B1; by its own data it was linked to beam 2." in notes


def test_an_image_that_gives_way_leaves_its_beam_without_one(studies):
    with pytest.raises(MissingObject, match="No portal image shows beam B2"):
        chosen(studies, (1, "RTIMAGE_2.dcm"))


@pytest.mark.parametrize(
    ("assigned", "message"),
    [([(7, "RTIMAGE_1.dcm")], "no beam 7"), ([(1, "x.dcm")], "no portal image x.dcm"),
     ([(1, "RTIMAGE_1.dcm"), (2, "RTIMAGE_1.dcm")], "twice"), ([(1, "a"), (1, "b")], "twice")],
)  # fmt: skip
def test_wrong_assignments_are_refused(studies, assigned, message):
    with pytest.raises(InvalidSetting, match=message):
        chosen(studies, *assigned)


@pytest.fixture(scope="module")
def raw_studies(tmp_path_factory):
    """Both beams come as raw frames, whose tables are called alike, and exchanged."""
    folder = tmp_path_factory.mktemp("raw")
    ids = write_treatment(folder)
    signal = np.full((2, 8, 8), 0.5)
    for number in (1, 2):
        (folder / f"RTIMAGE_{number}.dcm").unlink()
        write_raw(folder / f"panel{number}", signal, ids, gantry_deg=(0, 0), panel_width_mm=400, beam_number=3 - number)
    return scan(folder)


@pytest.mark.parametrize("name", ["panel{}/frames.json", "panel{}"])
def test_tables_of_raw_frames_are_told_apart_by_their_folder(raw_studies, name):
    selection = select(raw_studies, [(number, name.format(number)) for number in (1, 2)])
    assert {beam.number: image.path.parent.name for beam, image in selection.beams} == {1: "panel1", 2: "panel2"}


def test_a_name_of_several_images_is_refused_with_those_that_tell(raw_studies):
    with pytest.raises(AmbiguousInput, match=r"2 portal images .* panel1/frames.json, panel2/frames.json"):
        select(raw_studies, [(1, "frames.json")])
    with pytest.raises(InvalidSetting, match="another beam already"):
        select(raw_studies, [(1, "panel1"), (2, "panel1/frames.json")])


def test_the_table_of_the_panel_names_them_so(raw_studies):
    from SlicerInTrEPIDLib.study_table import overrides, study_contents

    contents = study_contents(raw_studies[0].plans[0].path.parent)
    files = [row.file for row in contents.images]
    assert files == ["panel1/frames.json", "panel2/frames.json"]
    assert overrides(contents, dict(zip(files, (1, 2), strict=True))) == ((1, files[0]), (2, files[1]))


def test_with_several_plans_a_beam_number_is_not_enough(studies):
    from dataclasses import replace

    two = [replace(studies[0], plans=studies[0].plans * 2)]
    with pytest.raises(AmbiguousInput, match="one RTPLAN"):
        chosen(two, (1, "RTIMAGE_1.dcm"))


@pytest.mark.parametrize("text", ["1", "=a", "x=a.dcm", "1="])
def test_what_is_no_assignment_is_refused(text):
    with pytest.raises(InvalidSetting, match="BEAM=FILE"):
        parse_assignment(text)
