"""What the checks of an imager find, as a machine profile keeps it."""

import msgspec


class MetersetResponse(msgspec.Struct, frozen=True):
    """Signal per MU at one meterset relative to that at the meterset nearest to 100 MU."""

    meterset_mu: float
    relative: float


class Linearity(msgspec.Struct, frozen=True):
    """Signal against monitor units of one field; ``worst_percent`` is the largest deviation of signal per MU."""

    field: str
    responses: tuple[MetersetResponse, ...]
    worst_percent: float


class Ghosting(msgspec.Struct, frozen=True):
    """Under-response of short exposures: ``1 - lost_share * exp(-meterset / build_up_mu)`` of the full signal per MU.

    Charge that is trapped in the panel is missing until as much is released as is trapped; amorphous silicon panels
    read 4 to 10 % less per MU at a few MU than at 1000 (McDermott et al., Med. Phys. 33 (2006), issue 7).
    """

    lost_share: float
    build_up_mu: float


class Reproducibility(msgspec.Struct, frozen=True):
    """Repeated images of one field: relative standard deviation and range of the signal per MU."""

    field: str
    n_images: int
    sigma_percent: float
    range_percent: float


class FieldSizeResponse(msgspec.Struct, frozen=True):
    """Signal per MU of a field relative to the field nearest to 10 x 10 cm2."""

    field: str
    area_cm2: float
    relative: float


class Uniformity(msgspec.Struct, frozen=True):
    """Evenness of the response within the central part of a field after the profile's radial response is taken out.

    ``spread_percent`` is (max - min) / (max + min) of the smoothed image, ``noise_percent`` the local noise of a pixel,
    ``asymmetry_percent`` the largest difference of opposite points.
    """

    field: str
    spread_percent: float
    asymmetry_percent: float
    noise_percent: float


class SagPoint(msgspec.Struct, frozen=True):
    """Centre of a field that should lie still, in the imager plane, relative to gantry 0."""

    gantry_angle_deg: float
    x_mm: float
    y_mm: float


class FieldCentre(msgspec.Struct, frozen=True):
    """Where the centre of a commissioning field lay in the imager plane."""

    field: str
    x_mm: float
    y_mm: float


class QualityBaseline(msgspec.Struct, frozen=True, kw_only=True):
    """All that was measured at commissioning; ``not_measured`` says what the images did not allow, and why."""

    linearity: Linearity | None
    ghosting: Ghosting | None
    reproducibility: Reproducibility | None
    field_size: tuple[FieldSizeResponse, ...]
    uniformity: Uniformity
    gantry_sag: tuple[SagPoint, ...]
    centres: tuple[FieldCentre, ...]
    not_measured: tuple[str, ...] = ()
