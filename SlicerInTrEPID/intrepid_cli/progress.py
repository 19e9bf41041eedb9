"""Progress bars on standard error, and interruptions that neither break one nor get lost."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

ENDINGS = (signal.SIGINT, signal.SIGTERM)
_lost = threading.Event()


def remember_lost(unraisable: "sys.UnraisableHookArgs") -> None:
    """Take note of an interruption that cannot be raised where it came; for ``sys.unraisablehook``.

    Python drops what is raised in a callback of C code, e.g. while numba loads a kernel: two of sixty cancelled
    reconstructions went on to their end.
    """
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        _lost.set()
    else:
        sys.__unraisablehook__(unraisable)


def go_on() -> None:
    """Raise the interruption that got lost, if one did."""
    if _lost.is_set():
        _lost.clear()
        raise KeyboardInterrupt


def progress_bar(*given: Any, **options: Any) -> Any:
    """Return a tqdm bar that passes on lost interruptions at every step.

    A bar that is interrupted while it is made prints an error when it goes: the interruption waits until it is made.
    """
    from tqdm import tqdm

    class Bar(tqdm):
        def update(self, n: float | None = 1) -> bool | None:
            go_on()
            return super().update(n)

    with held_back():
        return Bar(*given, **options)


@contextmanager
def held_back() -> Iterator[None]:
    """Let requests to end wait until the block is done."""
    if threading.current_thread() is not threading.main_thread():  # signals go to the main thread only
        yield
        return
    waiting: list[tuple[int, FrameType | None]] = []
    # What C code handles can neither be held back nor restored from here.
    ours = [number for number in ENDINGS if signal.getsignal(number) is not None]
    handlers = {number: signal.signal(number, lambda *asked: waiting.append(asked)) for number in ours}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    for asked, frame in waiting[:1]:
        handler = handlers[signal.Signals(asked)]
        if callable(handler):
            handler(asked, frame)
        elif handler is signal.SIG_DFL:
            signal.raise_signal(signal.Signals(asked))
