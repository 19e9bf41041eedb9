"""Images assigned to beams by hand override what files say, and the report tells."""

import pytest

from builders import write_treatment
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


def test_with_several_plans_a_beam_number_is_not_enough(studies):
    from dataclasses import replace

    two = [replace(studies[0], plans=studies[0].plans * 2)]
    with pytest.raises(AmbiguousInput, match="one RTPLAN"):
        chosen(two, (1, "RTIMAGE_1.dcm"))


@pytest.mark.parametrize("text", ["1", "=a", "x=a.dcm", "1="])
def test_what_is_no_assignment_is_refused(text):
    with pytest.raises(InvalidSetting, match="BEAM=FILE"):
        parse_assignment(text)
