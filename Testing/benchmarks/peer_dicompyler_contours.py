"""Contours as dicompyler-core reads them, run by its own Python: RTSTRUCT files in; ROI numbers and points out."""

import json
import sys
import warnings

from dicompylercore import dicomparser

warnings.simplefilter("ignore")
said = []
for path in sys.argv[1:]:
    parser = dicomparser.DicomParser(path)
    said.append(
        {
            number: [contour["data"] for plane in parser.GetStructureCoordinates(number).values() for contour in plane]
            for number in parser.GetStructures()
        }
    )
print(json.dumps(said, default=float))
