"""DICOM objects to and from other systems: C-STORE, storage commitment, DICOMweb. Nothing starts by itself."""
