"""Run the benchmarks of this folder, each ``bench_<name>.py`` as a program of its own, one after the other.

``python run.py`` runs all, ``python run.py gamma`` one; what follows ``--`` is passed on. A benchmark prints what it
measured and ends with a code other than 0 if an answer was wrong; machine and versions are printed here.
"""

import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent


def benchmarks() -> dict[str, Path]:
    """Programs by name."""
    return {path.stem.removeprefix("bench_"): path for path in sorted(HERE.glob("bench_*.py"))}


def machine() -> str:
    """One line on where this runs."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    processor = next((line.split(":")[1].strip() for line in lines if "model name" in line), platform.processor())
    packages = ", ".join(f"{name} {version(name)}" for name in ("slicer-intrepid", "numpy", "scipy", "numba"))
    return f"{processor}, {os.cpu_count()} cores, Python {platform.python_version()}, {packages}"


def main(arguments: list[str]) -> int:
    split = arguments.index("--") if "--" in arguments else len(arguments)
    wanted, passed_on = arguments[:split], arguments[split + 1 :]
    found = benchmarks()
    unknown = [name for name in wanted if name not in found]
    if unknown:
        print(f"No benchmark {', '.join(unknown)}; there are {', '.join(found)}.", file=sys.stderr)
        return 2
    print(machine(), f"\nload of the machine: {os.getloadavg()[0]:.1f}\n", flush=True)
    failed = []
    for name in wanted or found:
        print(f"== {name} ==", flush=True)
        if subprocess.run([sys.executable, found[name], *passed_on], check=False).returncode:
            failed.append(name)
        print(flush=True)
    if failed:
        print(f"Wrong answers or errors in: {', '.join(failed)}", file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
