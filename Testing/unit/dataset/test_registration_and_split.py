"""Shifts that were put in are found; splits keep what belongs together and repeat."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intrepid_epid.dataset.registration import shift_px
from intrepid_epid.dataset.splitting import check_stated, split_groups
from intrepid_rt.errors import AmbiguousInput, InvalidSetting


def field(rows_off=0.0, columns_off=0.0, *, shape=(60, 72), level=1.0):
    """A soft rectangle with a slope and a notch, drawn where it is wanted: nothing is interpolated."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(float)
    y, x = y - rows_off, x - columns_off

    def edge(at, low, high):
        return 0.5 * (np.tanh((at - low) / 1.5) - np.tanh((at - high) / 1.5))

    inside = edge(y, 18, 45) * edge(x, 20, 50) - 0.6 * edge(y, 16, 25) * edge(x, 40, 52)
    return level * inside * (1 + 0.004 * (x - 30))


@settings(max_examples=25, deadline=None)
@given(st.floats(-7, 7), st.floats(-7, 7), st.floats(0.3, 3.0))
def test_a_shift_is_found_whatever_the_level(rows, columns, level):
    found = shift_px(field(level=level), field(rows, columns))
    assert found == pytest.approx((rows, columns), abs=0.03)


def test_attenuation_by_a_heterogeneous_phantom_moves_nothing():
    """The other image is 3 % lower in one half, as behind more bone."""
    other = field()
    other[:, :36] *= 0.97
    assert np.abs(shift_px(other, field())).max() < 0.05


def test_a_split_of_few_phantoms_keeps_one_of_each_family_to_train():
    groups = {"a": ("OMG", 20), "b": ("SLAB", 10), "c": ("SLAB", 10)}
    parts = split_groups(groups, test_percent=20, validation_percent=20, seed=3)
    assert parts["a"] == "train"
    assert "train" in (parts["b"], parts["c"])


@given(st.integers(0, 1000), st.lists(st.integers(1, 12), min_size=8, max_size=40))
def test_a_split_is_about_as_large_as_asked_for_and_repeats(seed, sizes):
    groups = {f"g{n}": (f"F{n % 3}", size) for n, size in enumerate(sizes)}
    parts = split_groups(groups, test_percent=15, validation_percent=15, seed=seed)
    assert parts == split_groups(dict(reversed(groups.items())), test_percent=15, validation_percent=15, seed=seed)
    assert set(parts) == set(groups)
    for split in ("test", "validation"):
        share = sum(size for g, (_, size) in groups.items() if parts[g] == split)
        assert share <= 0.15 * sum(sizes) + max(sizes)


def test_a_stated_split_that_tears_a_phantom_apart_is_refused():
    with pytest.raises(AmbiguousInput, match="the test and the train part"):
        check_stated({"P1": ["train", "test"]})
    check_stated({"P1": ["train", "train"], "P2": ["test"]})


def test_percentages_that_leave_nothing_are_refused():
    with pytest.raises(InvalidSetting, match="leave nothing to train"):
        split_groups({"a": ("F", 1)}, test_percent=60, validation_percent=40, seed=1)
