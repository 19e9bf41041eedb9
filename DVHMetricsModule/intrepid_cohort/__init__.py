"""The cohort database: many patients' plans, structures and doses, imported from DICOM, queried and exported."""
