"""The one family of exceptions that panel, console and command line share.

Every message says what was found, what was expected and what to do. Messages name UIDs and files, never patients.
"""


class UnusableInput(Exception):  # noqa: N818 - named after what happened, as the command line reports it
    """Input from which no trustworthy number can be computed; the command line exits with code 2."""


class UnreadableFile(UnusableInput):
    """A file that cannot be read as what it claims to be."""


class MissingObject(UnusableInput):
    """A study lacks an object (CT, plan, image, attribute) that the task needs."""


class AmbiguousInput(UnusableInput):
    """Two objects claim the same role and choosing one would be a guess."""


class FrameOfReferenceMismatch(UnusableInput):
    """Objects that must share a frame of reference do not."""


class UnsupportedGeometry(UnusableInput):
    """A grid or beam geometry that an algorithm cannot take, refused by name."""


class InvalidSetting(UnusableInput):
    """A setting outside its meaning: a negative criterion, an unknown name, a bad number."""


class OutputNotWritable(UnusableInput):
    """A result cannot be written: no permission, no space, or a path that is no folder."""
