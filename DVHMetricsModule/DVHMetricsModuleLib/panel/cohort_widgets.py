"""The widgets of the tab "Cohort": what is where, without behaviour."""

import qt
from slicer.i18n import tr as _

from DVHMetricsModuleLib.cohort import NAME_COLUMNS, PATIENT_COLUMNS, PLOTS
from intrepid_rt.research_note import RESEARCH_NOTE


class CohortWidgets:
    """Widgets by name; ``root`` is the tab."""

    def __init__(self):
        self.root = qt.QWidget()
        layout = qt.QVBoxLayout(self.root)
        layout.addWidget(_research_note())
        layout.addWidget(self._connection())
        self.status = qt.QLabel(_("Not connected."))
        self.status.wordWrap = True
        layout.addWidget(self.status)
        self.pages = qt.QTabWidget()
        for title, page in ((_("Import"), self._import()), (_("Patients"), self._patients()),
                            (_("Ask"), self._ask()), (_("Names"), self._names())):  # fmt: skip
            self.pages.addTab(page, title)
        layout.addWidget(self.pages)

    def _connection(self):
        self.place = _line(_("Database file, or postgresql://user@host/name"),
                           _("A SQLite file, or the URL of a PostgreSQL database."))  # fmt: skip
        self.choose = _button(_("..."), _("Choose a database file."))
        self.connect = _button(_("Connect"), _("Open the database."))
        self.create = _button(_("Create"), _("Create the tables, or upgrade those of an older version."))
        return _row(self.place, self.choose, self.connect, self.create)

    def _import(self):
        self.folder = _line(_("Folder with DICOM files"), _("All files below it are read where they lie."))
        self.chooseFolder = _button(_("..."), _("Choose the folder."))
        self.centre = _line(_("Centre"), _("Where these patients come from; identifiers may repeat between centres."))
        self.start = _button(_("Import"), _("Import all DICOM files below the folder, in a process of its own."))
        self.addCurrent = _button(
            _("Add the current patient"), _("Import the DICOM files that this scene was loaded from.")
        )
        self.cancel = _button(_("Cancel"), _("Stop; the next import goes on where this one stopped."))
        self.progress = qt.QProgressBar()
        self.progress.visible = False
        self.importLog = qt.QPlainTextEdit()
        self.importLog.readOnly = True
        self.importLog.toolTip = _("What the import says, and which files it does not use.")
        return _page(_row(self.folder, self.chooseFolder), self.centre, _row(self.start, self.addCurrent, self.cancel),
                     self.progress, self.importLog)  # fmt: skip

    def _patients(self):
        self.filter = _line(_("Filter by pseudonym or centre"), _("Shows patients that contain this text."))
        self.patients = _table(PATIENT_COLUMNS)
        self.open = _button(_("Open CT, structures and dose"), _("Put the chosen patient into the scene."))
        return _page(self.filter, self.patients, self.open)

    def _ask(self):
        self.where = qt.QPlainTextEdit()
        self.where.plainText = "type = PTV"
        self.where.maximumHeight = 64
        self.where.toolTip = _("Conditions, one per line, all must hold: name ~ heart|herz and mean_gy = 5..10, "
                               "date >= 2024-06, D95% >= 47.5, not (centre = A or centre = B)")  # fmt: skip
        self.metrics = _line(_("Metrics"), _("Separated by commas, such as D95%, V20Gy."))
        self.metrics.text = "D95%, D2%"
        self.saved = qt.QComboBox()
        self.saved.toolTip = _("Saved queries; choosing one fills the fields.")
        self.save = _button(_("Save as..."), _("Keep this query in the database under a name."))
        self.askButton = _button(_("Ask"), _("List the structures that meet the conditions."))
        self.export = _button(_("Export..."), _("Write the rows as CSV, Excel, Stata, Parquet or JSON."))
        self.plotKind = qt.QComboBox()
        self.plotKind.addItems(list(PLOTS))
        self.plotKind.toolTip = _("What to draw; the first metric counts where one is needed.")
        self.plot = _button(_("Plot"), _("Draw into this panel."))
        self.page = _button(_("Open as page"), _("The same, answering to the pointer, in the browser."))
        self.rows = _table(())
        self.picture = qt.QLabel()
        self.picture.alignment = qt.Qt.AlignCenter
        return _page(self.where, self.metrics, _row(self.saved, self.save), _row(self.askButton, self.export),
                     self.rows, _row(self.plotKind, self.plot, self.page), self.picture)  # fmt: skip

    def _names(self):
        self.person = _line(_("Your name"), _("Stands in the log beside each decision."))
        self.onlyUnsure = qt.QCheckBox(_("Only names that are unsure"))
        self.onlyUnsure.checked = True
        self.onlyUnsure.toolTip = _("Otherwise all names are listed.")
        self.mapNames = _button(_("Read names"), _("Propose a name after TG-263 for every name in the database."))
        self.names = _table(NAME_COLUMNS, editable=True)
        self.names.toolTip = _(
            "Write into the last column: ok accepts the proposal, - says that there is none, or a name."
        )
        self.accept = _button(_("Accept proposal"), _("Write ok into the last column of the chosen row."))
        self.decide = _button(_("Store decisions"), _("Store what stands in the last column; every change is logged."))
        return _page(_row(self.person, self.mapNames), self.onlyUnsure, self.names, _row(self.accept, self.decide))


def fill(table, columns, rows):
    """Show rows of values in a table widget."""
    table.setSortingEnabled(False)
    table.clear()
    table.setColumnCount(len(columns))
    table.setHorizontalHeaderLabels(list(columns))
    table.setRowCount(len(rows))
    for number, row in enumerate(rows):
        for column, value in enumerate(row):
            text = "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
            table.setItem(number, column, qt.QTableWidgetItem(text))
    table.resizeColumnsToContents()


def _line(placeholder, tip):
    edit = qt.QLineEdit()
    edit.placeholderText, edit.toolTip = placeholder, tip
    return edit


def _button(text, tip):
    button = qt.QPushButton(text)
    button.toolTip = tip
    return button


def _table(columns, *, editable=False):
    table = qt.QTableWidget()
    if not editable:
        table.setEditTriggers(qt.QAbstractItemView.NoEditTriggers)
    table.setSelectionBehavior(qt.QAbstractItemView.SelectRows)
    table.setMinimumHeight(160)
    fill(table, columns, [])
    return table


def _research_note():
    note = qt.QLabel(_(RESEARCH_NOTE))
    note.alignment = qt.Qt.AlignCenter
    note.wordWrap = True
    note.styleSheet = "background: #fff4d6; color: #6b4b00; padding: 4px;"
    return note


def _row(*widgets):
    holder = qt.QWidget()
    layout = qt.QHBoxLayout(holder)
    layout.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        layout.addWidget(widget)
    return holder


def _page(*widgets):
    page = qt.QWidget()
    layout = qt.QVBoxLayout(page)
    for widget in widgets:
        layout.addWidget(widget)
    return page
