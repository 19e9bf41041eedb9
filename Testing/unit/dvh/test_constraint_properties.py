"""Whatever is typed as a constraint: a verdict or a reason, and a canonical text that means the same again."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from intrepid_dvh.constraint_grammar import parse_constraint
from intrepid_dvh.constraints import check_constraints
from intrepid_dvh.curve import DVH

DOSE = np.linspace(0, 60, 50)
DVHS = [
    DVH("Both", DOSE, np.linspace(100, 0, 50), structure_volume_cc=100.0, prescription_gy=50.0),
    DVH(
        *("Percent", DOSE, np.full(50, np.nan)),
        stated_volume_percent=np.linspace(100, 0, 50),
        volume_unit="PERCENT",
        dose_unit="CGY",
    ),
    DVH("No unit", np.full(50, np.nan), np.linspace(10, 0, 50), structure_volume_cc=10.0, unstated_dose=DOSE),
]
PIECES = [
    "D",
    "V",
    "DC",
    "CV",
    "MEAN",
    "10",
    "..",
    "%",
    "cc",
    "Gy",
    "cGy",
    "eV/g",
    "_",
    "[Gy]",
    "<",
    ">=",
    "=",
    " ",
    "HI",
]

loose = st.lists(st.sampled_from([*PIECES, "HI", "NTCP", "R50%", "1e5", "x"]), min_size=1, max_size=9).map("".join)
shaped = st.builds(
    "{}{}{}{} {} {}{}".format,
    st.sampled_from(["D", "V", "DC", "CV"]),
    st.sampled_from(["10", "0.03", "95", "MEAN", "1.2.3", "HI", "007"]),
    st.sampled_from(["%", "cc", "Gy", "cGy", "eV/g", ""]),
    st.sampled_from(["", "_Gy", "_cGy", "_%", "_cc", "[Gy]", "[%]", "[cc]"]),
    st.sampled_from(["<", "<=", ">", ">="]),
    st.sampled_from(["20", "0.5", "30.0", "1.2.3"]),
    st.sampled_from(["%", "cc", "Gy", "cGy", ""]),
)


@settings(max_examples=300, deadline=None)
@given(loose | shaped)
def test_every_text_has_a_verdict_or_a_reason(text):
    for result in check_constraints(DVHS, [text]):
        assert result.compliance is not None or result.reason


@settings(max_examples=300, deadline=None)
@given(loose | shaped, st.sampled_from(["GY", "CGY", "EV/G"]), st.sampled_from(["CC", "PERCENT"]))
def test_the_canonical_text_means_the_same(text, dose_unit, volume_unit):
    parsed = parse_constraint(text, dose_unit, volume_unit)
    assert parsed.valid == bool(parsed.canonical)
    if parsed.valid and not parsed.missing:
        again = parse_constraint(parsed.canonical, dose_unit, volume_unit)
        assert (again.canonical, again.limit) == (parsed.canonical, parsed.limit)
