"""DVHs by dicompyler-core, run by its own Python: RTSTRUCT, RTDOSE and repeats in; seconds, volumes and means out."""

import json
import sys
import time
import warnings

import pydicom
from dicompylercore import dicomparser, dvhcalc

warnings.simplefilter("ignore")
structures_path, dose_path, repeats = sys.argv[1], sys.argv[2], int(sys.argv[3])
structures, dose = pydicom.dcmread(structures_path), pydicom.dcmread(dose_path)
numbers = {number: item["name"] for number, item in dicomparser.DicomParser(structures).GetStructures().items()}
seconds, volumes, means = [], {}, {}
for _ in range(repeats):
    start = time.perf_counter()
    dvhs = {name: dvhcalc.get_dvh(structures, dose, number) for number, name in numbers.items()}
    seconds.append(time.perf_counter() - start)
    volumes = {name: float(dvh.volume) for name, dvh in dvhs.items()}
    means = {name: float(dvh.mean) for name, dvh in dvhs.items()}
print(json.dumps({"seconds": min(seconds), "volume_cc": volumes, "mean_gy": means}))
