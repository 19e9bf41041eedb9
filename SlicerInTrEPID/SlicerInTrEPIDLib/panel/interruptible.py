"""A computation in the application itself that shows how far it is and that the user can stop."""

from slicer.i18n import tr as _

import slicer


class CancelledError(Exception):
    """The user stopped the computation."""


class Interruptible:
    """Runs one computation at a time; events are processed at each of its steps, so that Cancel works.

    Who takes this on has ``ui`` with a ``progressBar`` and a ``statusLabel``, and ``onParameters``, which disables what
    must not be done while ``_running``.
    """

    _running = _cancelled = False

    def runInterruptibly(self, computation, *, failed, requirements):
        """Run a computation, which reports to `onProgress`.

        Parameters
        ----------
        computation : callable without arguments.
        failed : str, stands above the reason if it cannot be done.
        requirements : path of the requirements file; what is missing is offered to be installed first.
        """
        with slicer.util.tryWithErrorDisplay(failed, waitCursor=True):
            from SlicerInTrEPIDLib.panel.packages import packages_ready

            if not packages_ready(requirements):
                return
            self.setRunning(True)
            try:
                computation()
            except CancelledError:
                self.ui.statusLabel.text = _("Cancelled.")
            finally:
                self.setRunning(False)

    def setRunning(self, running):
        """Switch between computing and waiting for the user."""
        self._running, self._cancelled = running, False
        self.ui.progressBar.visible = running
        self.ui.progressBar.value = 0
        self.onParameters()

    def onProgress(self, fraction, step=""):
        """Show the fraction done and what is under way, and stop if the user wants that.

        Raises
        ------
        CancelledError
            Cancel was clicked, or the scene was closed.
        """
        self.ui.progressBar.value = round(100 * fraction)
        if step:
            self.ui.statusLabel.text = step
        slicer.app.processEvents()
        if self._cancelled:
            raise CancelledError

    def onCancel(self):
        """Stop at the next step."""
        self._cancelled = True
