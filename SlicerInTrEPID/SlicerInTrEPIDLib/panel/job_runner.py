"""Runs a command beside the application and reports to the panel; the only place that owns a timer."""

from collections.abc import Callable, Mapping, Sequence

import qt

from SlicerInTrEPIDLib.child_process import ChildProcess

INTERVAL_MS = 200
# A minute for a cancelled child to tidy up: killing it would leave files, and a kernel is not interrupted half-way.
PATIENCE_POLLS = 300


class JobRunner:
    """One job at a time.

    Parameters
    ----------
    on_message : callable(str)
        Called with each line the child writes to standard error.
    on_finished : callable(int, str)
        Called once with the exit code and the standard output.
    """

    def __init__(self, on_message: Callable[[str], None], on_finished: Callable[[int, str], None]) -> None:
        self._on_message, self._on_finished = on_message, on_finished
        self._child: ChildProcess | None = None
        self._polls_left: int | None = None
        self._timer = qt.QTimer()
        self._timer.interval = INTERVAL_MS
        self._timer.connect("timeout()", self.poll)

    @property
    def is_running(self) -> bool:
        """Whether a job is under way."""
        return self._child is not None

    def start(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start a job and return at once."""
        self._child, self._polls_left = ChildProcess(arguments, environment), None
        self._timer.start()

    def cancel(self) -> None:
        """Ask the job to stop; it is killed if it has not stopped after a while."""
        if self._child is not None:
            self._child.cancel()
            self._polls_left = PATIENCE_POLLS

    def poll(self) -> None:
        """Pass on new messages and notice the end."""
        child = self._child
        if child is None:
            return
        if self._polls_left is not None:
            self._polls_left -= 1
            if self._polls_left < 0:
                child.kill()
        ended = not child.is_running  # asked first: whatever was written before the end is read below
        for message in child.poll():
            self._on_message(message)
        if ended:
            self._timer.stop()
            self._child = None
            self._on_finished(child.exit_code or 0, child.output)

    def stop(self) -> None:
        """End everything at once: the panel goes away."""
        self._timer.stop()
        if self._child is not None:
            self._child.kill()
            self._child = None
