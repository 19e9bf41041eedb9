"""Ground floor: geometry, DICOM-RT, errors, files. Knows arrays and DICOM, but neither MRML nor networks."""
