"""The physics without a patient as a portal dose model: what answers when no network may."""

from intrepid_epid.networks.portal_dose_model import Exposure, PortalDosePrediction
from intrepid_epid.portal_dose import open_portal_dose

# Behind 0 to 30 cm of water the panel reads 0 to 6 % less per dose than in the open beam (detector kernels of a 6 MV
# spectrum, docs/physics.md). Without the patient's CT the middle of that is the best guess of the error.
HARDENING_PERCENT = 3.0


class PhysicsModel:
    """Kernel and radial response of the machine profile, as for an unattenuated beam."""

    name = "physics"

    def predict(self, exposure: Exposure) -> PortalDosePrediction:
        """Return the dose with one uncertainty for the whole image."""
        return PortalDosePrediction(
            dose=open_portal_dose(exposure.signal, exposure.profile),
            half_width_gy=None,
            uncertainty_percent=HARDENING_PERCENT + exposure.profile.worst_residual_percent(),
            model=self.name,
            warnings=("No patient is known: behind one, this dose is up to 6 % too low.",),
        )
