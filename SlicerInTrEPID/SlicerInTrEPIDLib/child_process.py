"""A program that runs beside the application and is asked from time to time how far it is."""

import os
import queue
import re
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO


class ChildProcess:
    """Start a command; ``poll`` never waits, so the application stays responsive.

    Parameters
    ----------
    arguments : sequence of str
    environment : mapping, optional
        Variables added to those of this process.
    """

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            list(arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(environment or {})},
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),  # no black window on Windows
            start_new_session=True,  # PythonSlicer is a launcher: a signal has to reach the Python behind it too
        )
        self._messages: queue.Queue[str] = queue.Queue()
        self._output: list[str] = []
        # Threads, because a full pipe would stop the child, and reading would stop us.
        self._readers = [
            threading.Thread(target=_read, args=(self._process.stderr, self._messages.put), daemon=True),
            threading.Thread(target=_read, args=(self._process.stdout, self._output.append), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def poll(self) -> list[str]:
        """Return the messages (lines of standard error) that arrived since the last call."""
        messages = []
        while not self._messages.empty():
            messages.append(self._messages.get_nowait())
        return messages

    @property
    def is_running(self) -> bool:
        """Whether the child still runs or its last output is not read yet."""
        return self._process.poll() is None or any(reader.is_alive() for reader in self._readers)

    @property
    def exit_code(self) -> int | None:
        """Exit code; None while it runs."""
        return None if self.is_running else self._process.returncode

    @property
    def output(self) -> str:
        """Standard output so far."""
        return "\n".join(self._output)

    def cancel(self) -> None:
        """Ask the child to stop, so that it can remove what it has not finished.

        By SIGTERM, which ``intrepid`` takes as an interruption: whoever starts Slicer may have SIGINT ignored, and a
        child inherits that.
        """
        if self._process.poll() is None:
            self._signal("SIGTERM")

    def kill(self) -> None:
        """End the child at once and wait for it."""
        self._signal("SIGKILL")
        self._process.wait()
        for reader in self._readers:
            reader.join()

    def _signal(self, name: str) -> None:
        if os.name == "nt":
            self._process.terminate()
            return
        with suppress(ProcessLookupError):  # ended in the meantime
            os.killpg(self._process.pid, getattr(signal, name))


def _read(stream: IO[bytes] | None, receive) -> None:
    assert stream is not None  # Popen was given pipes
    rest = b""
    with stream:
        while chunk := os.read(stream.fileno(), 65536):
            # Progress bars end their lines with a carriage return.
            *lines, rest = re.split(rb"[\r\n]+", rest + chunk)
            for line in lines:
                if line.strip():
                    receive(line.decode("utf-8", "replace"))
    if rest.strip():
        receive(rest.decode("utf-8", "replace"))
