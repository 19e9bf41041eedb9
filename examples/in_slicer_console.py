"""For the Python console of 3D Slicer: paste it, after setting the three paths.

Slicer waits until the reconstruction is done; the panel of the module does not.
"""

from pathlib import Path

import slicer
from SlicerInTrEPIDLib.command import Job, run

study = Path("C:/data/study")
profile = Path("C:/data/linac_6mv.json")
output = Path("C:/data/study_verified")

job = Job(study, output, machine=profile, criteria="3/3,2/2")
summary = run(job, on_message=print)
print(summary.verdict, *summary.reasons, *summary.gamma, sep="\n")
slicer.util.loadScene(str(job.scene))

# The doses are ordinary volume nodes, in Gy:
dose = slicer.util.arrayFromVolume(slicer.util.getNode("Dose reconstructed"))
print(f"maximum {dose.max():.3f} Gy on a grid of {dose.shape}")
