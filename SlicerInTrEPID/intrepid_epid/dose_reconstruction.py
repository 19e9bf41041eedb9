"""The dose models by name: from the primary portal dose of a beam to the dose in the patient."""

from collections.abc import Callable

from numpy.typing import NDArray

from intrepid_epid.back_projection import first_order_dose
from intrepid_epid.beam_model import BeamModel
from intrepid_epid.transit import PrimaryBeam
from intrepid_rt.errors import InvalidSetting
from intrepid_rt.portal_image import PortalImage

# (primary portal dose in Gy, beam, beam model) -> Gy on the grid of the beam's anatomy.
DoseModel = Callable[[PortalImage, PrimaryBeam, BeamModel], NDArray]


def _first_order(primary_gy: PortalImage, beam: PrimaryBeam, model: BeamModel) -> NDArray:
    return first_order_dose(primary_gy, beam, beam.anatomy.density).values


DOSE_MODELS: dict[str, DoseModel] = {"first-order": _first_order}


def dose_model(name: str) -> DoseModel:
    """Return the dose model of this name.

    Raises
    ------
    InvalidSetting
        No model has this name.
    """
    if name not in DOSE_MODELS:
        raise InvalidSetting(f"No dose model is called {name!r}; choose one of {', '.join(DOSE_MODELS)}.")
    return DOSE_MODELS[name]
