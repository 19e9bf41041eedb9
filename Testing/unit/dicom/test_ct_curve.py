"""CT numbers to densities by a table that anybody can replace."""

import numpy as np
import pytest

from intrepid_rt.ct_curve import CTCurve, default_ct_curve, read_ct_curve
from intrepid_rt.errors import InvalidSetting, UnreadableFile

HEADER = "hu,density_g_cc,relative_electron_density\n"


def test_linear_between_points_and_constant_beyond(tmp_path):
    path = tmp_path / "scanner.csv"
    path.write_text("# our scanner, 120 kV\n" + HEADER + "-1000,0.001,0.0009\n0,1,1\n1000,1.6,1.5\n")
    curve = read_ct_curve(path)
    assert (curve.name, curve.source) == ("scanner", "our scanner, 120 kV")
    np.testing.assert_allclose(curve.density([[-2000, -500], [500, 3000]]), [[0.001, 0.5005], [1.3, 1.6]])
    np.testing.assert_allclose(curve.electron_density(500), 1.25)
    assert curve.fraction_beyond(np.array([0, 1000, 1001, 2000])) == 0.5


def test_order_and_other_columns_do_not_matter(tmp_path):
    path = tmp_path / "scanner.csv"
    path.write_text("name,relative_electron_density,hu,density_g_cc\nair,0.0009,-1000,0.001\nwater,1,0,1\n")
    assert read_ct_curve(path).density(-500) == pytest.approx(0.5005)


def test_hash_tells_curves_apart():
    one, same, other = (CTCurve("a", [0, 1], [0, d], [0, 1]) for d in (1.0, 1.0, 1.01))
    assert one.sha256 == same.sha256 != other.sha256


def test_generic_curve_of_water_air_and_bone():
    curve = default_ct_curve()
    np.testing.assert_allclose(curve.density([-1000, 0]), [0.00121, 1.0])
    # Cortical bone of ICRU Report 44: 1.92 g/cc, 1.781 electrons relative to water.
    bone = np.interp(1.92, curve.density_g_cc, curve.hu)
    assert curve.electron_density(bone) == pytest.approx(1.781, rel=0.002)
    assert (np.diff(curve.density_g_cc) > 0).all()
    assert "Schneider" in curve.source


NO_TABLES = ["", "hu,density\n0,1\n", HEADER + "0,one,1\n1,2,3\n", HEADER + "0,1\n1,2\n", "\0\xff"]


@pytest.mark.parametrize("text", NO_TABLES)
def test_what_is_no_table_is_refused(tmp_path, text):
    path = tmp_path / "scanner.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises((UnreadableFile, InvalidSetting), match=r"CT curve|no text in UTF-8"):
        read_ct_curve(path)


@pytest.mark.parametrize("rows", ["0,1,1\n", "0,1,1\n0,2,2\n", "5,1,1\n0,2,2\n", "0,-1,1\n1,2,2\n", "0,nan,1\n1,2,2\n"])
def test_what_is_no_curve_is_refused(tmp_path, rows):
    path = tmp_path / "scanner.csv"
    path.write_text(HEADER + rows)
    with pytest.raises(InvalidSetting, match="CT curve scanner"):
        read_ct_curve(path)
