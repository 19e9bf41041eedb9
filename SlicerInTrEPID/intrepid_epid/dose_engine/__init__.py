"""Dose engine: cone kernels of a spectrum and their collapsed-cone superposition."""
