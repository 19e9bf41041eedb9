"""The table of portal images: which beam each shows, to be corrected by hand."""

from collections.abc import Callable

import qt
from slicer.i18n import tr as _

from SlicerInTrEPIDLib.study_table import StudyContents, images_of, overrides

COLUMNS = ("Image", "Beam", "Gantry", "Taken", "Why")
BEAM = 1
IMAGE_WIDTH = 150  # long file names are cut short, and whole in the tooltip


class ImagesTable:
    """Fills a ``QTableWidget`` with a study and knows what was changed.

    Parameters
    ----------
    table : QTableWidget
    on_change : callable()
        Called when a person chose another beam.
    """

    def __init__(self, table, on_change: Callable[[], None]) -> None:
        self._table, self._on_change = table, on_change
        self._boxes: dict[str, object] = {}
        self.contents: StudyContents | None = None
        table.setColumnCount(len(COLUMNS))
        table.setHorizontalHeaderLabels([_(name) for name in COLUMNS])
        table.verticalHeader().visible = False
        table.setEditTriggers(qt.QAbstractItemView.NoEditTriggers)

    def show(self, contents: StudyContents | None) -> None:
        """Show a study; None clears the table."""
        self.contents, self._boxes = contents, {}
        rows = contents.images if contents else ()
        self._table.setRowCount(0)
        self._table.setRowCount(len(rows))
        for number, row in enumerate(rows):
            for column, text in enumerate((row.file, "", row.gantry, row.taken, row.how)):
                item = qt.QTableWidgetItem(text)
                item.setToolTip(text)
                self._table.setItem(number, column, item)
            self._boxes[row.file] = self._box(contents, row.beam)
            self._table.setCellWidget(number, BEAM, self._boxes[row.file])
        self._table.resizeColumnsToContents()
        self._table.setColumnWidth(0, IMAGE_WIDTH)
        self._table.setFixedHeight(self._height(len(rows)))

    def _box(self, contents, beam):
        box = qt.QComboBox()
        box.toolTip = _("The beam this image shows. A choice by hand is told in the report.")
        box.addItem(_("none"), None)
        for number, name in contents.beams:
            box.addItem(f"{number}: {name}", number)
        numbers = [None, *(number for number, _name in contents.beams)]
        box.currentIndex = numbers.index(beam) if beam in numbers else 0
        box.connect("currentIndexChanged(int)", lambda index: self._on_change())
        return box

    def _height(self, rows: int) -> int:
        return 30 + 31 * min(max(rows, 1), 6)

    def chosen(self) -> dict[str, int | None]:
        """Return file to beam number as the table stands."""
        numbers = [None, *(number for number, _name in self.contents.beams)] if self.contents else [None]
        return {file: numbers[box.currentIndex] for file, box in self._boxes.items()}

    def overrides(self) -> tuple[tuple[int, str], ...]:
        """Return what a person changed: (beam number, file)."""
        return overrides(self.contents, self.chosen()) if self.contents else ()

    def images(self) -> list:
        """Files of the images that show a beam."""
        return images_of(self.contents, self.chosen()) if self.contents else []
