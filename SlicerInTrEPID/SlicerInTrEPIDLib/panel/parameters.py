"""What the panel remembers, and what the command line calls it."""

import pathlib
from typing import Annotated

from slicer.parameterNodeWrapper import Choice, parameterNodeWrapper

SETUPS = {
    "as the image tells": None,
    "treated as imaged": "image",
    "couch matched to the plan": "matched",
    "couch matched, with rotations": "matched-6d",
}
OWN_CURVE = "own curve"
HOUNSFIELD = {
    "planning CT's, if it fits": None,
    "planning CT's, in any case": "planning",
    "matched to the planning CT": "matched",
    OWN_CURVE: "own",
}
REGISTRATIONS = ["rigid", "deformable", "dicom", "transform file"]


@parameterNodeWrapper
class SlicerInTrEPIDParameterNode:
    """Saved with the scene. Paths are unset while they are empty."""

    studyFolder: pathlib.Path
    machineProfile: pathlib.Path
    outputFolder: pathlib.Path
    constraintsFile: pathlib.Path
    plannedPortalFolder: pathlib.Path
    criteria: str = "3/3,3/2,2/2"
    model: str = "physics"
    refinement: str = "none"
    ctCurveFile: pathlib.Path
    dayFolder: pathlib.Path
    registration: Annotated[str, Choice(REGISTRATIONS)] = "rigid"
    transformFile: pathlib.Path
    setup: Annotated[str, Choice(list(SETUPS))] = "as the image tells"
    dayIsocentre: str = ""
    couchShift: str = ""
    hounsfield: Annotated[str, Choice(list(HOUNSFIELD))] = "planning CT's, if it fits"
    dayCurveFile: pathlib.Path
    completeTruncated: bool = False


def job_of(parameters, assigned=()):
    """Return the job that parameters, and beams assigned by hand, describe."""
    from SlicerInTrEPIDLib.command import DayJob, Job, as_path

    own = parameters.hounsfield == OWN_CURVE
    day = DayJob(
        folder=as_path(parameters.dayFolder),
        registration=parameters.registration,
        transform=as_path(parameters.transformFile),
        setup=SETUPS[parameters.setup],
        isocentre=parameters.dayIsocentre,
        couch_shift=parameters.couchShift,
        curve=str(parameters.dayCurveFile) if own else HOUNSFIELD[parameters.hounsfield],
        complete=parameters.completeTruncated,
    )
    return Job(
        study=as_path(parameters.studyFolder),
        output=as_path(parameters.outputFolder),
        machine=as_path(parameters.machineProfile),
        constraints=as_path(parameters.constraintsFile),
        planned_portal=as_path(parameters.plannedPortalFolder),
        criteria=parameters.criteria,
        model=parameters.model,
        refinement=parameters.refinement,
        ct_curve=as_path(parameters.ctCurveFile),
        assigned=assigned,
        day=day,
    )
