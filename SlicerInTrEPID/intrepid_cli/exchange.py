"""What ``send`` and ``receive`` share: the options of a secured connection."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from intrepid_rt.network.peer import TLSFiles

PATH = click.Path(path_type=Path)


def tls_options(function: Callable) -> Callable:
    """Add ``--tls-ca``, ``--tls-cert`` and ``--tls-key``."""
    for name, text in (
        ("--tls-key", "Key of our certificate, PEM."),
        ("--tls-cert", "Our certificate, PEM."),
        ("--tls-ca", "Certificate authority that both sides trust, PEM; with it the connection is encrypted."),
    ):
        function = click.option(name, type=PATH, help=text)(function)
    return function


def tls_files(tls_ca: Path | None, tls_cert: Path | None, tls_key: Path | None) -> "TLSFiles | None":
    """Return the three files, None without any.

    Raises
    ------
    InvalidSetting
        Only some of them are given.
    """
    from intrepid_rt.errors import InvalidSetting
    from intrepid_rt.network.peer import TLSFiles

    if tls_ca is None and tls_cert is None and tls_key is None:
        return None
    if tls_ca is None or tls_cert is None or tls_key is None:
        raise InvalidSetting("TLS needs --tls-ca, --tls-cert and --tls-key together. Give all three.")
    return TLSFiles(tls_ca, tls_cert, tls_key)
