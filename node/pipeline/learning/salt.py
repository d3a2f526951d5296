"""The site's salt: minted at the first start, or by the first verb that needs it, and kept in the database for ever."""

import secrets
from datetime import datetime

from node.store.database import Database
from node.store.learning import splits


def minted(database: Database, now: datetime) -> bytes:
    """Return the salt that pseudonyms and sides follow from; of several that mint at once, the first one's stands."""
    known = database.read(splits.salt_of)
    return known or database.write(lambda tx: splits.mint(tx, secrets.token_hex(32), now))
