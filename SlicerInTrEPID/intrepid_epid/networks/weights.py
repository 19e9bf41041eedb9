"""Weights on disk: safetensors only. Nothing here can run code from a file, as a pickle would."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from intrepid_rt.atomic import replacing
from intrepid_rt.errors import UnreadableFile
from intrepid_rt.small_files import regular_file

if TYPE_CHECKING:
    from torch import Tensor

_PICKLES = (b"\x80", b"PK\x03\x04", b"\x1f\x8b")  # pickle protocol 2 and later, zipped (torch.save), gzipped


def read_tensors(path: str | Path) -> tuple[dict[str, "Tensor"], dict[str, str]]:
    """Read the tensors of a safetensors file, of any shapes by name, and its metadata.

    Raises
    ------
    UnreadableFile
        Missing, cut short, or of another format; a pickle is named as what it is and not opened.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    try:
        with regular_file(path).open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read ({error.strerror}); expected weights as safetensors.") from error
    if start.startswith(_PICKLES):
        raise UnreadableFile(
            f"{path} is a pickle or a torch archive, which could run code and is never loaded. Save the weights as "
            "safetensors."
        )
    try:
        with safe_open(str(path), "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118 - no dict
    except SafetensorError as error:
        raise UnreadableFile(f"{path} is no safetensors file ({error}). Fetch or train the model again.") from error


def write_tensors(path: str | Path, tensors: Mapping[str, "Tensor"], metadata: Mapping[str, str]) -> str:
    """Write tensors of any shapes by name, replacing the file as a whole; returns its SHA-256."""
    from safetensors.torch import save_file

    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    with replacing(path) as temporary:
        save_file(plain, temporary, dict(metadata))
    return file_sha256(path)


def file_sha256(path: str | Path) -> str:
    """SHA-256 of a file.

    Raises
    ------
    UnreadableFile
        It cannot be read.
    """
    try:
        return hashlib.sha256(regular_file(path).read_bytes()).hexdigest()
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read ({error.strerror}).") from error
