"""What an installation lacks, what for, and how to get it. No Qt, no MRML."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from SlicerInTrEPIDLib.command import missing_packages

TORCH, SLICERRT, PACKAGES, MODELS = "torch", "SlicerRT", "packages", "models"


@dataclass(frozen=True)
class MissingPart:
    """Something that is not installed; ``needed_for`` ends a sentence, ``is_needed`` is False where it only helps."""

    kind: str
    name: str
    needed_for: str
    is_needed: bool


def missing_parts(
    requirements: Path,
    *,
    model: str,
    refinement: str = "none",
    has_module: Callable[[str], bool],
    has_package: Callable[[str], bool],
) -> list[MissingPart]:
    """Return everything that is missing for a job with this model and refinement.

    Parameters
    ----------
    has_module, has_package : callable(str) -> bool
        Whether Slicer has a module, and Python a package.
    """
    found = [MissingPart(PACKAGES, line, "to reconstruct", True) for line in missing_packages(requirements)]
    networks = [f"the model {model}"] if model not in ("physics", "first-order") else []
    networks += [f"the refinement {refinement}"] if refinement != "none" else []
    if networks and not has_package("torch"):
        found.append(MissingPart(TORCH, "PyTorch", f"for {' and '.join(networks)}; physics works without", True))
    if not has_module("dicomrtimportexport"):
        found.append(
            MissingPart(SLICERRT, "SlicerRT", "to load plans and doses into the scene; results show without", False)
        )
    return found


def sentence(part: MissingPart) -> str:
    """Say it in one line.

    >>> sentence(MissingPart("torch", "PyTorch", "for the model unet; physics works without", True))
    'PyTorch is not installed; needed for the model unet; physics works without.'
    """
    how = "needed" if part.is_needed else "useful"
    return f"{part.name} is not installed; {how} {part.needed_for}."
