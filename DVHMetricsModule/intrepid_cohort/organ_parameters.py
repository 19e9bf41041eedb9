"""Published parameters of EUD and NTCP by organ, for fractions of 1.8 to 2 Gy: no prognosis."""

from typing import Any

from intrepid_rt.errors import InvalidSetting

SOURCE = (
    "Fit of the logistic model to B. Emami et al., IJROBP 21 (1991) 109-122, after H. A. Gay and A. Niemierko, "
    "Physica Medica 23 (2007) 115-125, as tabulated in DVH Analytics (models/rad_bio.py)"
)

# Organ: (endpoint, a of the EUD, gamma50, TD50 in Gy). TD50 of brain to retina are those of Emami's table, except for
# the organs below: there neither paper could be read, and the row is taken second-hand from DVH Analytics.
_PARAMETERS = {
    "Brain": ("necrosis", 5, 3, 60.0),
    "Brainstem": ("necrosis", 7, 3, 65.0),
    "OpticChiasm": ("blindness", 25, 3, 65.0),
    "Colon": ("obstruction or perforation", 6, 4, 55.0),
    "Ear, acute": ("acute serous otitis", 31, 3, 40.0),
    "Ear, chronic": ("chronic serous otitis", 31, 4, 65.0),
    "Esophagus": ("perforation", 19, 4, 68.0),
    "Heart": ("pericarditis", 3, 3, 50.0),
    "Kidney": ("nephritis", 1, 3, 28.0),
    "Lens": ("cataract", 3, 1, 18.0),
    "Liver": ("liver failure", 3, 3, 40.0),
    "Lung": ("pneumonitis", 1, 2, 24.5),
    "OpticNrv": ("blindness", 25, 3, 65.0),
    "Retina": ("blindness", 15, 2, 65.0),
}

SECOND_HAND = ("Colon", "Ear, acute", "Ear, chronic")


def parameters_of(organ: str) -> dict[str, Any]:
    """Return the parameters of DEUD and DNTCP for an organ.

    >>> parameters_of("lung")
    {'EUDa': 1.0, 'NTCPtype': 'logit', 'NTCPgamma50': 2.0, 'NTCPtd50': 24.5}

    Raises
    ------
    InvalidSetting
        The organ is not in the table.
    """
    found = next((row for name, row in _PARAMETERS.items() if name.lower() == organ.lower()), None)
    if found is None:
        raise InvalidSetting(f"{organ!r} is not in the table; known are {', '.join(_PARAMETERS)}.")
    _, a, gamma_50, dose_50_gy = found
    return {"EUDa": float(a), "NTCPtype": "logit", "NTCPgamma50": float(gamma_50), "NTCPtd50": dose_50_gy}


def organs() -> dict[str, dict[str, Any]]:
    """Return endpoint, parameters and whether they were checked against Emami's table, by organ."""
    return {
        name: {"endpoint": row[0], **parameters_of(name), "source": "second-hand" if name in SECOND_HAND else "checked"}
        for name, row in _PARAMETERS.items()
    }
