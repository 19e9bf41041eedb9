"""Parameters of the dose-response models as a user writes them: ``{"NTCPtd50": 50, "NTCPm": 0.1, "EUDa": "Inf"}``."""

from collections.abc import Mapping
from typing import Any

from intrepid_dvh.missing import MissingValue
from intrepid_rt.errors import InvalidSetting
from intrepid_rt.small_files import parse_json

MODEL_TYPES = ("probit", "logit", "poisson", "relative_seriality")

_NUMBERS = (
    *("EUDa", "EUDfd", "EUDab", "NTCPs"),
    *("NTCPtd50", "NTCPm", "NTCPn", "NTCPgamma50"),
    *("TCPtcd50", "TCPm", "TCPn", "TCPgamma50"),
)
TYPES = ("NTCPtype", "TCPtype")


def require_known(arguments: Mapping[str, Any]) -> None:
    """Refuse parameter names that no model has, because a misspelt parameter would silently change a number.

    Raises
    ------
    InvalidSetting : a name is unknown, a value is no number, or a model type is unknown.
    """
    for name, value in arguments.items():
        if name in TYPES:
            if value not in MODEL_TYPES:
                raise InvalidSetting(f"{name} is '{value}'; choose one of {', '.join(MODEL_TYPES)}.")
        elif name not in _NUMBERS:
            raise InvalidSetting(f"Model parameter '{name}' is unknown; known are {', '.join((*_NUMBERS, *TYPES))}.")
        elif value is not None:
            _as_float(name, value)


def model_arguments_of(text: str | None) -> dict[str, Any]:
    """Read model parameters from JSON text; None are none.

    Raises
    ------
    InvalidSetting : it is no object, or holds what :func:`require_known` refuses.
    UnreadableFile : it is no JSON.
    """
    arguments = parse_json(text, "--model-args") if text else {}
    if not isinstance(arguments, dict):
        raise InvalidSetting('--model-args must be an object such as {"EUDa": 8}.')
    require_known(arguments)
    return arguments


def number(arguments: Mapping[str, Any], name: str) -> float | None:
    """Return a parameter as a number, the first of a list, or None if it is not given."""
    value = arguments.get(name)
    return None if value is None else _as_float(name, value)


def positive(arguments: Mapping[str, Any], name: str) -> float | None:
    """Return a parameter that must be positive, or None if it is not given.

    Raises
    ------
    MissingValue : it is zero or negative, so the model has no value.
    """
    value = number(arguments, name)
    if value is not None and not value > 0:
        raise MissingValue(f"{name} is {value:g}; it must be positive")
    return value


def _as_float(name: str, value: Any) -> float:
    first = value[0] if isinstance(value, list | tuple) and value else value
    try:
        return float(first)
    except (TypeError, ValueError):
        raise InvalidSetting(f"{name} is {value!r}; expected a number, Inf or -Inf.") from None
