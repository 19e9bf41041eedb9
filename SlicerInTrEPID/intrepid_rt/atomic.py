"""Writing files so that a reader sees either the whole new file or none."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from intrepid_rt.errors import OutputNotWritable


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside ``path`` to write to; on success it replaces ``path``, on any failure it is removed.

    Raises
    ------
    OutputNotWritable
        The folder cannot be made or written to, or the disk is full.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The suffix stays last, and a double one (.nii.gz) whole, because writers choose their format by it.
        suffix = "".join(path.suffixes[-2:]) if path.suffix == ".gz" else path.suffix
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        _copy_default_mode(temporary)
        temporary.replace(path)
    except OSError as error:
        raise OutputNotWritable(
            f"{path} could not be written: {reason_of(error)}. Free space or choose another output folder."
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def reason_of(error: OSError) -> str:
    """Say in a few words why the operating system refused.

    Libraries wrap the error in one of their own whose text is a whole traceback (pydicom does), so the first error of
    the chain that states a reason is asked.

    >>> reason_of(OSError(28, "No space left on device"))
    'No space left on device'
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return next(iter(str(error).splitlines()), type(error).__name__)


def _copy_default_mode(path: Path) -> None:
    # mkstemp makes the file private; a result gets the mode any other new file would have.
    umask = os.umask(0)
    os.umask(umask)
    path.chmod(0o666 & ~umask)


def write_text(path: str | Path, text: str) -> None:
    """Write ``text`` as UTF-8, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def staged_folder(folder: str | Path) -> Iterator[Path]:
    """Give an empty folder to fill; on success its files move into ``folder``, on any failure nothing is left.

    Files of the same name in ``folder`` are replaced, others stay.

    Raises
    ------
    OutputNotWritable
        The folder cannot be made or written to, or the disk is full.
    """
    folder = Path(folder)
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=folder) as stage:
            yield Path(stage)
            for path in sorted(Path(stage).iterdir()):
                path.replace(folder / path.name)
    except OSError as error:
        raise OutputNotWritable(
            f"{folder} could not be written: {reason_of(error)}. Free space or choose another output folder."
        ) from error
    finally:
        # Empty only if nothing was moved there: a failed run leaves no folder that looks like a result.
        with suppress(OSError):
            for place in made:
                place.rmdir()
