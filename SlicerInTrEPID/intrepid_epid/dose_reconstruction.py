"""The dose models by name: from the primary portal dose of a beam to the dose in the patient."""

from collections.abc import Callable

from numpy.typing import NDArray

from intrepid_epid.back_projection import first_order_dose
from intrepid_epid.superposition import superposition_dose
from intrepid_epid.transit import PrimaryBeam
from intrepid_epid.transit_portal_dose import TransitPortalDose
from intrepid_rt.errors import InvalidSetting

# (portal dose behind the patient, beam) -> Gy on the grid of the beam's anatomy.
DoseModel = Callable[[TransitPortalDose, PrimaryBeam], NDArray]


def _first_order(portal: TransitPortalDose, beam: PrimaryBeam) -> NDArray:
    return first_order_dose(portal.primary_gy, beam, beam.anatomy.density).values


DOSE_MODELS: dict[str, DoseModel] = {"physics": superposition_dose, "first-order": _first_order}


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
