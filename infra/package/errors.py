"""What can go wrong while packaging; every message is a sentence that a person can act on."""


class PackagingError(Exception):
    """Nothing was packaged; what an earlier run made is still in place."""


class TooLarge(PackagingError):
    """A function with its layers unzips to more than Lambda takes."""
