"""Requests to end wait while a bar is made, and are not forgotten."""

import ctypes
import signal
import sys
import threading

import pytest

from intrepid_cli.progress import held_back, progress_bar, remember_lost


def test_an_interruption_waits_until_the_block_is_done():
    done = []

    def work():
        with held_back():
            signal.raise_signal(signal.SIGINT)
            done.append("block")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["block"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with held_back():
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_bars_can_be_made_beside_the_main_thread():
    made = []

    def make():
        with progress_bar(total=3, disable=True) as bar:
            made.append(bar.total)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    assert made == [3]


def test_an_interruption_in_a_callback_of_c_code_is_raised_at_the_next_step(monkeypatch):
    monkeypatch.setattr(sys, "unraisablehook", remember_lost)

    @ctypes.CFUNCTYPE(None)
    def loses_it():
        raise KeyboardInterrupt

    with progress_bar(total=3, disable=True) as bar:
        bar.update()
        loses_it()
        with pytest.raises(KeyboardInterrupt):
            bar.update()
        bar.update()
