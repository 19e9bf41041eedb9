"""The reason why a number is absent, on its way from where it is found to the result that shows it."""


class MissingValue(Exception):  # noqa: N818 - not an error: the caller turns it into an absent value with its reason
    """A value that cannot be computed from what is known; the message is the reason to show."""
