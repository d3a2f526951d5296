"""What a backup says of itself."""

from dataclasses import dataclass, field

FORMAT = 2
"""Of the backups that this program writes; it reads those of no higher number."""


@dataclass(frozen=True, slots=True)
class BackupManifest:
    """The first thing that a restore reads."""

    format: int
    made_at: str  #: ISO 8601
    program: str  #: version of pacs-node
    kind: str  #: of database
    revision: str  #: of its schema
    tables: dict[str, list[str]]  #: columns by table, in the order in which they are filled
    files: int  #: number of stored files
    missing: tuple[str, ...]  #: files that rows name and that were gone already
    digests: str  #: SHA-256 of the list of digests, hexadecimal
    given: dict[str, int] = field(default_factory=dict)  #: the highest number by table that a row ever had; since 2
