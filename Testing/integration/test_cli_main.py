"""The console command itself: help, unknown words, exit codes, one line for every failure."""

import importlib
import subprocess
import sys

import click
import pytest

from intrepid_cli import main
from intrepid_cli.main import SUBCOMMANDS, run


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_lists_every_subcommand(capsys, arguments):
    assert run(arguments) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in SUBCOMMANDS)
    assert len(printed.splitlines()) > len(SUBCOMMANDS)


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_every_subcommand_is_there(name):
    assert isinstance(importlib.import_module(SUBCOMMANDS[name][0]).command, click.Command)


def test_help_needs_no_heavy_import():
    """Nothing that takes a second to load, neither for the list nor for a subcommand's options."""
    code = (
        "import sys; from intrepid_cli.main import run; run(['--help']); run(['reconstruct', '--help']);"
        "heavy = {'scipy', 'numba', 'pydicom', 'matplotlib', 'SimpleITK', 'slicer', 'torch'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nosuch"], "No such command 'nosuch'"),
        (["reconstruct"], "Missing argument"),
        (["reconstruct", "x"], "--out"),
        (["reconstruct", "x", "--out", "y", "--grid-mm", "thin"], "thin"),
        (["--nosuch"], "--nosuch"),
    ],
)
def test_wrong_words_end_in_one_line(capsys, arguments, message):
    assert run(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    assert message in printed.err


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (RuntimeError("two\nlines"), 3, "unforeseen RuntimeError: two lines (run with --debug)"),
        (OSError(28, "No space left on device", "/place"), 2, "/place: No space left on device"),
        (KeyboardInterrupt(), 2, "Interrupted"),
    ],
)
def test_failures_become_codes_and_lines(capsys, monkeypatch, error, code, message):
    def fail(*_rest, **_more):
        raise error

    monkeypatch.setattr(main.cli, "main", fail)
    assert run(["reconstruct"]) == code
    said = capsys.readouterr().err
    assert message in said
    assert len(said.splitlines()) == 1
    assert run(["--debug", "reconstruct"]) == code
    assert "Traceback" in capsys.readouterr().err


def test_version(capsys):
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("intrepid, version ")
