"""What the database backend raises of its own."""

from redun.errors import RedunError


class RedunDatabaseError(RedunError):
    """The repo can't be opened, or can't hold what it is given."""

    __module__ = "redun.backends.db"


class RedunVersionError(RedunDatabaseError):
    """The schema of the repo isn't one that this version works with."""

    __module__ = "redun.backends.db"
