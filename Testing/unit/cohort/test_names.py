"""Names of structures: the locked list of clinical names, sides, traps, and what the engine must not conclude."""

from pathlib import Path

import pytest

from intrepid_cohort.names.lexicon import phrases, sided, standard_names
from intrepid_cohort.names.mapping import is_valid_standard
from intrepid_cohort.names.proposal import language_of, propose

LISTS = Path(__file__).parents[2] / "data" / "names"


def listed(file):
    for line in (LISTS / file).read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            yield tuple(part.strip() for part in line.split(" | "))


def is_right(proposal, expected):
    if expected == "TARGET":
        return proposal.category == "target"
    if expected == "-":
        return proposal.category not in ("organ", "target", "external")
    if expected == "External":
        return proposal.category == "external"  # TG-263 calls it Body or External
    return proposal.standard_name == expected


def assert_holds(read):
    """Thresholds of what the mapping promises; pairs of a proposal and the acceptable answers."""
    confident = [(proposal, expected) for proposal, expected in read if proposal.is_confident]
    assert len(confident) >= 0.85 * len(read)
    right = sum(any(is_right(proposal, one) for one in expected) for proposal, expected in confident)
    assert right >= 0.97 * len(confident)
    swapped = [
        p.roi_name for p, e in confident for one in e if {one[-2:], (p.standard_name or "")[-2:]} == {"_L", "_R"}
    ]
    assert swapped == []


def test_names_that_were_not_used_in_making_it():
    """Written and locked before the engine; see docs/cohort_curation.md for lists by others."""
    read = [(propose(name), (expected,)) for _, name, expected in listed("held_out.txt")]
    assert len(read) == 491
    assert_holds(read)


@pytest.mark.parametrize("half", [0, 1], ids=["A", "B"])
def test_names_written_by_someone_who_had_not_seen_it(half):
    """Half A was looked at to mend; half B was not looked at before it was first scored."""
    read = [(propose(name), expected.split(" or ")) for name, expected in list(listed("blind_2.txt"))[half::2]]
    assert len(read) == 204
    assert_holds(read)


GLUED = {
    "Parotid_L": "LPAROTID|PAROTIDL|LTPAROTID|lparotid",
    "Kidney_R": "RKIDNEY|KIDNEYR|rtkidney",
    "OpticChiasm": "OPTCHIASMA|optichiasm",
    "Tongue": "Zunge",
    "Cricoid": "Ringknorpel",
    None: "zbladder|zlung|Optirectum|optiptv|avoidcord|hilfsptv",
}


@pytest.mark.parametrize(("expected", "written"), GLUED.items())
def test_what_is_glued_to_a_structure(expected, written):
    """A helper's beginning is no slip of the pen: zbladder is not the bladder."""
    found = {name: propose(name) for name in written.split("|")}
    assert {name: (p.standard_name, p.is_confident) for name, p in found.items()} == dict.fromkeys(
        found, (expected, True)
    )


SIDES = {
    "Lung_L": "Lunge li|Lunge V|Polmone sx|Polmone S|Long links|Poumon G|LLung|LUNG_LT",
    "Lung_R": "Lunge re|Lunge H|Lunge hø|Polmone dx|Long rechts|Poumon D|Rt_Lung|Lunge D",
    "Lens_R": "Rlens|Linse re|Linse hø",
    "OpticNrv_L": "Opt Ner L|N. opticus sin",
    "Kidney_R": "Rein D|Rein droit|Rene dx",
    "Parotid_L": "Parotis sin|Parotide G",
    "Parotid_R": "Parotis dxt|Parotide D",
    "Lungs": "Lungs L+R|Lung total|Lunge bds",
}


@pytest.mark.parametrize(("expected", "written"), SIDES.items())
def test_sides(expected, written):
    found = {name: propose(name) for name in written.split("|")}
    assert {name: (p.standard_name, p.is_confident) for name, p in found.items()} == dict.fromkeys(
        found, (expected, True)
    )


UNSURE = (
    "Lung|Kidney|Lung D|Lung G|Kontralat. Lunge|Ipsi breast|Poumon homolatéral|Medulla|RA|Lung L R tumour|Parotid|"
    "Femoral heads|Plexus|   |Ω|Heart LV|rectum wall upper|"
    "Kopf|Hoofd|Spinal|OS|Leye_r|L Lung PTV|Hjerte V"
)


@pytest.mark.parametrize("name", UNSURE.split("|"))
def test_it_abstains_where_the_name_says_too_little(name):
    found = propose(name)
    assert not found.is_confident or found.category not in ("organ", "target", "external")


OTHERS = """
L1 | VB_L1 | organ
Th12 | VB_T12 | organ
LWK 3 | VB_L3 | organ
LAD | A_LAD | organ
Lungs-PTV | Lungs-PTV | organ
zBowel | - | helper
Cord+5 | SpinalCord_PRV05 | organ
BrainStem_Core | Brainstem_Core | organ
PRV Myelon 3mm | SpinalCord_PRV03 | organ
PTV_5040 | PTV | target
CTVn | CTV | target
PTV-ring | - | helper
Rectum in PTV | - | helper
Rectum inside PTV | - | helper
Blase innerhalb PTV | - | helper
CouchSurface | - | device
Dose 95[%] | - | dose
Seed 3 | - | device
12345 | - | unknown
"""


@pytest.mark.parametrize("line", OTHERS.strip().splitlines())
def test_traps(line):
    name, expected, category = line.split(" | ")
    found = propose(name)
    assert (found.standard_name or "-", found.category) == (expected, category)


def test_the_dose_level_of_a_target():
    assert propose("PTV_5040").target_dose_gy == 50.4
    assert propose("PTV2").target_dose_gy is None


def test_the_type_settles_the_outer_contour_and_contradicts_organs():
    assert propose("BODY", interpreted_type="EXTERNAL").standard_name == "External"
    assert propose("Huid", interpreted_type="EXTERNAL").standard_name == "External"
    assert propose("Huid").standard_name == "Skin"
    assert not propose("Mamma li", interpreted_type="CTV").is_confident


def test_a_name_of_tg263_stays_what_it_is():
    for name in standard_names():
        if not name.endswith(("xx", "x")):
            found = propose(name)
            assert found.standard_name in (name, None) or not found.is_confident, name


def test_every_concept_of_the_lexicon_is_in_tg263():
    known = standard_names()
    for concept in {phrase.concept for phrase in phrases()}:
        assert concept in known or sided(concept, "L") or sided(concept, "R"), concept


def test_a_language_settles_words_of_two_meanings():
    danish = ["Hjerte", "Lunge ve", "Spiserør", "Rygmarv", "Blære"]
    assert language_of(danish) == "da"
    assert propose("Medulla", language="da").standard_name == "SpinalCord"
    assert language_of(["Heart", "Herz"]) == ""


def test_names_that_a_person_may_give():
    assert is_valid_standard("OpticNrv_PRV03_L")
    assert not is_valid_standard("Lunge links")
