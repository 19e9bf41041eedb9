"""Optional packages, asked for where they are first needed."""

from importlib.util import find_spec

from intrepid_rt.errors import MissingObject


def needed(*packages: str, purpose: str, extra: str) -> None:
    """Check that packages are installed.

    Raises
    ------
    MissingObject
        One is not; the message says what to install.
    """
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise MissingObject(
            f"{purpose} needs {' and '.join(missing)}, not installed here: pip install 'slicer-intrepid[{extra}]'."
        )
