"""For the Python console of 3D Slicer: paste it, after setting the paths; as it stands it runs the bundled sample.

Slicer waits until the reconstruction is done; the panel of the module does not.
"""

import os
import tempfile
from pathlib import Path

import slicer
from SlicerInTrEPIDLib.adoption import adopt
from SlicerInTrEPIDLib.command import DayJob, Job, run
from SlicerInTrEPIDLib.isodoses import maximum_gy, show_isodoses
from SlicerInTrEPIDLib.layout import fill_views, show_layout
from SlicerInTrEPIDLib.sample import unpack_sample
from SlicerInTrEPIDLib.scene_comparison import compare_doses, told

sample = Path(slicer.util.modulePath("SlicerInTrEPID")).parent / "Resources" / "SampleData"
work = Path(tempfile.mkdtemp(prefix="intrepid-"))
study = unpack_sample(sample, work) / "study"  # or Path("C:/data/study")
profile = sample / "MC6MV.profile.json"  # or Path("C:/data/linac_6mv.json")
cone_beam = os.environ.get("INTREPID_CONE_BEAM")  # folder of the CT of the day, if there is one

day = DayJob(folder=Path(cone_beam) if cone_beam else None, setup="matched", complete=True)
job = Job(study, work / "out", machine=profile, criteria="3/3,2/2", day=day)
summary = run(job, on_message=print)
print(summary.verdict, *summary.reasons, *summary.gamma, sep="\n")

slicer.util.loadScene(str(job.scene))
adopt(slicer.mrmlScene)  # one study, also where SlicerRT has loaded the plan
planned, dose = slicer.util.getNode("Dose planned"), slicer.util.getNode("Dose reconstructed")
show_isodoses(slicer.mrmlScene, dose, maximum_gy(planned), slicer.modules)
print(told(compare_doses(slicer.mrmlScene)))
show_layout(slicer.app.layoutManager().layoutLogic().GetLayoutNode())
fill_views(slicer.mrmlScene, slicer.util.getNodes("EPID *").popitem()[0].removeprefix("EPID "))

# The doses are ordinary volume nodes, in Gy:
values = slicer.util.arrayFromVolume(dose)
print(f"maximum {values.max():.3f} Gy on a grid of {values.shape}")
