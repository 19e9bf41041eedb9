import matplotlib
import numpy as np
import pytest
from PIL import Image

from intrepid_dvh.constraints import Constraint
from intrepid_dvh.curve import DVH
from intrepid_dvh.mean_dvh import mean_dvhs
from intrepid_dvh.plot_limits import panels
from intrepid_dvh.plots import draw_constraints, draw_mean, draw_panel, new_figure, save_figures, show_panels
from intrepid_rt.errors import InvalidSetting

FOUR = ("HEART", "AOVALVE", "AMYOCR", "AVNODE")
LIMITS = ("xmin", "xmax", "ymin", "ymax")


@pytest.fixture
def shown(curves):
    return [dvh for dvh in curves.values() if dvh.patient_id != "SYN1" and dvh.structure in FOUR]


def panels_as_in_r(dvhs, args):
    guess = args.pop("guessX", True)
    return panels(
        dvhs,
        by="patient" if args.pop("byPat", True) else "structure",
        relative_volume=args.pop("rel", True),
        differential_curves=not args.pop("cumul", True),
        dose_range=guess if not isinstance(guess, bool) else None,
        threshold_percent=None if guess is False else args.pop("thresh", 1),
    )


def test_limits_titles_and_labels_agree_with_r(oracle, shown, arguments):
    rows = oracle("plot_limits")
    assert len(rows) == 35
    for row in rows:
        by_name = {p.title.partition(" ")[2]: p for p in panels_as_in_r(shown, arguments(row["args"]))}
        panel = by_name[row["panel"]]
        found = (*panel.dose_range, *panel.volume_range)
        assert found == pytest.approx([float(row[name]) for name in LIMITS], rel=1e-6), row
        assert (panel.title, panel.dose_label, panel.volume_label) == (row["title"], row["xlab"], row["ylab"])


def test_a_missing_kind_of_volume_is_replaced_and_said(curves):
    [panel] = panels([curves["SYN1", "RELONLY"]], relative_volume=False)
    assert panel.volume_label == "Volume (%)"
    assert "volume_cc is unknown" in panel.warnings[0]
    with pytest.raises(InvalidSetting, match="neither"):
        panels([curves["SYN1", "RELONLY"], curves["SYN1", "ABSONLY"]])


def test_differential_curves_of_a_cgy_source_are_per_gy(curves):
    [in_cgy] = panels([curves["SYN1", "CGYUNIT"]], differential_curves=True)
    [in_gy] = panels([curves["P345", "AMYOCR"]], differential_curves=True)
    assert in_cgy.volume_range == pytest.approx(in_gy.volume_range, rel=1e-9)


def test_every_constraint_is_drawn_at_its_place(curves):
    # R drops two of these four (two constraints on two structures).
    dvhs = [curves["P123", "HEART"], curves["P123", "AMYOCR"]]
    [panel] = panels(dvhs)
    _, [axes] = new_figure()
    draw_panel(axes, panel)
    assert draw_constraints(axes, panel, ["V20Gy < 30%", "D10cc < 50Gy"]) == []
    lines = [line for line in axes.lines if line.get_markersize() == 8]
    marks = {(line.get_marker(), *np.round(line.get_xydata()[0], 4)) for line in lines}
    assert len(lines) == 4
    assert marks == {
        ("o", 20.0, 30.0),
        ("s", 50.0, round(1000 / 595.5, 4)),
        ("s", 50.0, round(1000 / 56.6, 4)),
    }
    assert axes.get_legend_handles_labels()[1] == ["HEART", "AMYOCR", "V20Gy < 30%", "D10cc < 50Gy"]
    assert axes.get_xlim()[1] == pytest.approx(52.5)


def test_what_cannot_be_drawn_is_named(curves):
    [panel] = panels([curves["SYN1", "RELONLY"]])
    _, [axes] = new_figure()
    draw_panel(axes, panel)
    reasons = draw_constraints(
        axes, panel, ["DMEAN < 10Gy", "D10cc < 5Gy", "V5 < 3%", Constraint("V5Gy < 3%", "Nobody")]
    )
    assert len(reasons) == 3
    assert "no point of the diagram" in reasons[0]
    assert "no absolute volume" in reasons[1]
    assert "V5" in reasons[2]


def test_figures_are_written_in_the_format_of_their_name(tmp_path, shown):
    figures = show_panels(chosen := panels(shown), constraints=["V20Gy < 30%"], spread=True)
    for suffix in ("png", "svg", "pdf"):
        written = save_figures(figures, chosen, tmp_path / f"dvh.{suffix}", dpi=60)
        assert [path.name for path in written] == [f"dvh_P{n}.{suffix}" for n in (123, 234, 345)]
    picture = np.asarray(Image.open(tmp_path / "dvh_P123.png").convert("RGB"))
    assert picture.shape == (300, 420, 3)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 100
    assert b"<svg" in (tmp_path / "dvh_P123.svg").read_bytes()[:1000]


def test_mean_bands_enclose_the_mean(curves):
    hearts = [dvh for dvh in curves.values() if dvh.structure == "HEART"]
    _, [axes] = new_figure()
    draw_mean(axes, mean_dvhs(hearts)["HEART"], name="HEART")
    wide, narrow = (band.get_paths()[0].get_extents() for band in axes.collections)
    assert wide.height >= narrow.height > 0
    assert axes.get_ylabel() == "Volume (%)"


def test_curves_follow_the_colours_given():
    dvh = DVH.from_samples(np.linspace(0, 60, 50), 1.0, structure="PTV", patient_id="A")
    _, [axes] = new_figure()
    draw_panel(axes, panels([dvh])[0], colours={"PTV": (1.0, 0.0, 0.0)})
    assert matplotlib.colors.to_hex(axes.lines[0].get_color()) == "#ff0000"
