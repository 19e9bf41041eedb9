"""The physics as a portal dose model: by the CT, by the monitor units, or by the image alone."""

from intrepid_epid.networks.portal_dose_model import Exposure, PortalDosePrediction
from intrepid_epid.portal_dose import open_portal_dose
from intrepid_epid.transit_portal_dose import transit_portal_dose
from intrepid_epid.water_equivalent import water_equivalent_beam
from intrepid_rt.portal_image import PortalImage

# Behind 0 to 30 cm of water the panel reads 0 to 6 % less per dose than in the open beam (detector kernels of a 6 MV
# spectrum, docs/physics.md). Without monitor units and CT the middle of that is the best guess of the error.
HARDENING_PERCENT = 3.0
# Simulated images that nothing was tuned to came within 0.5 % in the high dose (docs/benchmarks.md); what a measured
# image adds is not known, so twice that with the CT, and four times where the patient is taken as water.
WITH_CT_PERCENT, WITH_METERSET_PERCENT = 1.0, 2.0
NOTHING_KNOWN = (
    "UNRELIABLE: neither monitor units nor CT are known, so this is the dose of an open beam; behind a patient it is "
    "up to 6 % too low. Give the plan (--plan), the study (--study) or the monitor units (--meterset-mu)."
)
TAKEN_AS_WATER = "No CT is known: the patient is taken as the water that would weaken the beam as much."
FIELD_UNKNOWN = "No plan is known: the field is taken as fully open, which a modulated field is not."


class PhysicsModel:
    """Kernel and radial response of the machine profile, scatter and hardening of what is known of the patient."""

    name = "physics"

    def predict(self, exposure: Exposure) -> PortalDosePrediction:
        """Return the dose with one uncertainty for the whole image.

        Raises
        ------
        UnusableInput
            The image cannot be of these monitor units.
        """
        dose, percent, warnings = _answer(exposure)
        return PortalDosePrediction(
            dose=dose,
            half_width_gy=None,
            uncertainty_percent=percent + exposure.profile.worst_residual_percent(),
            model=self.name,
            warnings=warnings,
        )


def _answer(exposure: Exposure) -> tuple[PortalImage, float, tuple[str, ...]]:
    """Dose, uncertainty in percent before that of the profile, and warnings."""
    signal, profile = exposure.signal, exposure.profile
    if exposure.patient is not None:
        return transit_portal_dose(signal, profile, exposure.patient).total_gy, WITH_CT_PERCENT, ()
    if not exposure.meterset_mu:
        return open_portal_dose(signal, profile), HARDENING_PERCENT, (NOTHING_KNOWN,)
    water = water_equivalent_beam(signal, profile, meterset_mu=exposure.meterset_mu, open_share=exposure.open_share)
    warnings = (TAKEN_AS_WATER,) if exposure.open_share is not None else (TAKEN_AS_WATER, FIELD_UNKNOWN)
    return transit_portal_dose(signal, profile, water).total_gy, WITH_METERSET_PERCENT, warnings
