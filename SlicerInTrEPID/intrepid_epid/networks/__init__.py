"""Portal dose by neural network: architectures, training, weights with their cards, prediction with uncertainty.

Only files in :mod:`intrepid_epid.networks.architecture` import torch when they are imported; all others import it, or
them, inside the functions that need it, so that everything else works without torch.
"""
