"""Self-test of the tab "Cohort": a synthetic patient is imported, asked about, drawn and opened."""

import pathlib
import tempfile

import slicer


def run(widget):
    """Go through the tab as a user does."""
    from intrepid_cohort.importing import import_folders
    from intrepid_cohort.simulation.cohort import write_cohort

    tab = widget.cohort
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        write_cohort(place / "in", patients=1, centres=1, seed=5)
        tab.ui.place.text = str(place / "cohort.db")
        assert not tab.ui.askButton.enabled, "nothing can be asked before a database is open"
        tab.onCreate()
        import_folders(tab.engine, [place / "in"], centre="X", processes=1)
        tab.refresh()
        tab.enable()
        assert tab.ui.patients.rowCount == 1
        assert tab.ui.askButton.enabled, tab.ui.askButton.toolTip
        _ask(tab)
        _open(tab)
        _names(tab)
        tab.disconnect()
        tab.ui.place.text = ""
        tab.enable()


def _ask(tab):
    tab.ui.where.plainText = "type = PTV\nmean_gy > 0"
    tab.ui.metrics.text = "D95%"
    tab.onAsk()
    columns, rows = tab._asked
    assert columns[-1] == "D95%"
    assert len(rows) == tab.ui.rows.rowCount == 1
    assert rows[0]["min_gy"] <= rows[0]["D95%"] <= rows[0]["max_gy"]
    assert tab.draw("test.png").stat().st_size > 1000


def _open(tab):
    tab.ui.patients.setCurrentCell(0, 0)
    tab.onOpen()
    dose = next(
        node
        for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
        if node.GetAttribute("DicomRtImport.DoseVolume")
    )
    assert slicer.util.arrayFromVolume(dose).max() > 1
    assert slicer.util.getNodesByClass("vtkMRMLSegmentationNode")[0].GetSegmentation().GetNumberOfSegments() == 6


def _names(tab):
    tab.onMapNames()
    tab.ui.onlyUnsure.checked = False
    tab.showNames()
    assert tab.ui.names.rowCount == 6
    tab.ui.person.text = "self-test"
    tab.ui.names.setCurrentCell(0, 0)
    tab.onAccept()
    tab.onDecide()
    tab.ui.onlyUnsure.checked = True
    assert "1 decisions" in tab.ui.status.text
