"""Criteria that recommendations name, and what a pass rate means under them."""

from typing import NamedTuple


class Preset(NamedTuple):
    """Criteria with their limits: below ``tolerance_percent`` look into it, below ``action_percent`` act."""

    name: str
    dose_percent: float
    distance_mm: float
    cutoff_percent: float = 10.0
    tolerance_percent: float = 95.0
    action_percent: float = 90.0


# Miften et al., Med. Phys. 45 (2018) e53-e83 (AAPM TG-218): 3 % / 2 mm, 10 % cut-off, global, 95 and 90 %. Its limits
# are taken over for the others, for which no recommendation states any.
PRESETS = (
    Preset("TG-218: 3 % / 2 mm", 3.0, 2.0),
    Preset("3 % / 3 mm", 3.0, 3.0),
    Preset("2 % / 2 mm", 2.0, 2.0),
    Preset("SRS: 1 % / 1 mm", 1.0, 1.0),
)
CUSTOM = "Custom"


def preset_named(name: str) -> Preset | None:
    """Return the preset of this name, None for custom criteria."""
    return next((preset for preset in PRESETS if preset.name == name), None)


def name_of_criteria(dose_percent: float, distance_mm: float, cutoff_percent: float) -> str:
    """Return the name of the preset with these criteria.

    >>> name_of_criteria(2.0, 2.0, 10.0), name_of_criteria(2.0, 2.0, 5.0)
    ('2 % / 2 mm', 'Custom')
    """
    wanted = (dose_percent, distance_mm, cutoff_percent)
    return next((preset.name for preset in PRESETS if preset[1:4] == wanted), CUSTOM)


def verdict(pass_rate_percent: float, *, tolerance_percent: float, action_percent: float) -> str:
    """Say where a pass rate lies: "pass", "investigate" (below tolerance) or "act" (below the action limit).

    >>> [verdict(rate, tolerance_percent=95, action_percent=90) for rate in (95.0, 94.99, 89.9)]
    ['pass', 'investigate', 'act']
    """
    if pass_rate_percent >= tolerance_percent:
        return "pass"
    return "investigate" if pass_rate_percent >= action_percent else "act"
