"""The gamma index as a minimum over the interpolated dose, not over samples of it."""

from intrepid_gamma.gamma import gamma_index, gamma_indices
from intrepid_gamma.related import chi_index, signed_gamma
from intrepid_gamma.result import GammaResult
from intrepid_gamma.settings import GammaSettings

__all__ = ["GammaResult", "GammaSettings", "chi_index", "gamma_index", "gamma_indices", "signed_gamma"]
