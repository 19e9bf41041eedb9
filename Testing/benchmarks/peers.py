"""The programs that ours are measured beside, in a virtual environment of their own."""

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[2] / ".bench-venv"
PYTHON = FOLDER / "bin" / "python"
PACKAGES = ("pymedphys==0.41.0", "plastimatch==1.10.0", "numpy>=2,<3", "scipy", "numba")


def installed() -> Path:
    """Make the environment at first need; return its Python."""
    done = FOLDER / ".packages"
    wanted = "\n".join(PACKAGES)
    if not done.exists() or done.read_text() != wanted:
        print("Installing", ", ".join(PACKAGES), "into", FOLDER.name, flush=True)
        subprocess.run([sys.executable, "-m", "venv", FOLDER], check=True)
        subprocess.run([PYTHON, "-m", "pip", "install", "-qq", *PACKAGES], check=True)
        done.write_text(wanted)
    return PYTHON
