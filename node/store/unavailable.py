"""How the database fails as the other rooms see it; told apart by whether anything may have been kept.

It imports no database, so that a process that only hands its instances over to another needs none.
"""

from node.domain.errors import Transient


class DatabaseUnavailable(Transient):
    """The database cannot be reached, is locked by another process, or has no room; nothing was committed."""


class CommitUncertain(DatabaseUnavailable):
    """Who was to commit was lost before it answered, and may have: the one failure after which rows may be there."""
