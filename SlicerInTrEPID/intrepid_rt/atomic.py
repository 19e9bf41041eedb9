"""Writing files so that a reader sees either the whole new file or none."""

import os
import secrets
import shutil
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
    # The suffix stays last, and a double one (.nii.gz) whole, because writers choose their format by it.
    suffix = "".join(path.suffixes[-2:]) if path.suffix == ".gz" else path.suffix
    # Named before it is made: whenever an interruption comes, it is known what to remove.
    temporary = path.parent / f".{path.stem}-{_unique()}{suffix}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR, mode=0o600))
        yield temporary
        _copy_default_mode(temporary)
        temporary.replace(path)
    except OSError as error:
        raise OutputNotWritable(
            f"{path} could not be written: {reason_of(error)}. Free space or choose another output folder."
        ) from error
    finally:
        if os.path.lexists(temporary):
            temporary.unlink()


def _unique() -> str:
    return secrets.token_hex(6)


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
    # The unfinished file is private; a result gets the mode any other new file would have.
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
    # Named before it is made: whenever an interruption comes, it is known what to remove.
    stage = folder / f".unfinished-{_unique()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stage.mkdir(mode=0o700)
        yield stage
        for path in sorted(stage.iterdir()):
            path.replace(folder / path.name)
    except OSError as error:
        raise OutputNotWritable(
            f"{folder} could not be written: {reason_of(error)}. Free space or choose another output folder."
        ) from error
    finally:
        try:
            _remove(stage, made)
        except KeyboardInterrupt:  # asked to end, or asked again, while tidying up: that is finished first
            _remove(stage, made)
            raise


def _remove(stage: Path, made: list[Path]) -> None:
    shutil.rmtree(stage, ignore_errors=True)
    # Empty only if nothing was moved there: a failed run leaves no folder that looks like a result.
    for place in made:
        with suppress(OSError):
            place.rmdir()
