"""Dose-volume histograms, metrics, constraints and radiobiology."""
