"""Synthetic cohorts: small, realistic DICOM of many patients whose every number is known beforehand."""
