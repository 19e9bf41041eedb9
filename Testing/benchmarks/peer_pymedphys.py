"""Gamma by PyMedPhys, run by the peers' Python: pair.npz, dose percent and distance in; seconds and pass rate out."""

import contextlib
import io
import json
import sys
import time

import numpy as np
import pymedphys

pair = np.load(sys.argv[1])
criteria = float(sys.argv[2]), float(sys.argv[3])
axes = []
for name in ("reference", "evaluated"):
    along = zip(pair[f"{name}_origin"], pair[f"{name}_spacing"], pair[name].shape, strict=True)
    axes.append(tuple(origin + spacing * np.arange(n) for origin, spacing, n in along))
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    tiny = (np.arange(4.0),) * 3
    pymedphys.gamma(tiny, np.ones((4, 4, 4)), tiny, np.ones((4, 4, 4)), 3, 3, interp_fraction=10)  # compiles
    start = time.perf_counter()
    options = {"lower_percent_dose_cutoff": 10, "interp_fraction": 10}
    gamma = pymedphys.gamma(axes[0], pair["reference"], axes[1], pair["evaluated"], *criteria, **options)
    seconds = time.perf_counter() - start
found = gamma[~np.isnan(gamma)]
print(json.dumps({"seconds": seconds, "pass_rate_percent": 100 * float((found <= 1).mean()), "n_points": found.size}))
