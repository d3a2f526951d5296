"""The Query SCU (C-FIND, Study Root): what a peer says that it holds.

It knows keys and values by keyword; what is done with them is not decided here.

References
----------
DICOM PS3.4 C.4.1 (C-FIND), C.6.2 (Study Root), PS3.7 9.1.2 and 9.3.2 (C-FIND).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

from node.domain.errors import Transient
from node.network.command import CommandField, Element
from node.network.conversation import Conversation, Message, open_conversation, readable
from node.network.identifier import encode_keys, texts_of
from node.network.peer import ContextNotAccepted, Deadline, PeerAddress, PeerRefused, PeerUnreachable, Timeouts

__all__ = ["ContextNotAccepted", "CutShort", "PeerRefused", "PeerUnreachable", "Search", "open_search"]

STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"

Level = Literal["STUDY", "SERIES", "IMAGE"]

_SUCCESS, _CANCELLED = 0x0000, 0xFE00
_PENDING = frozenset({0xFF00, 0xFF01})
_MEDIUM_PRIORITY = 0x0000

#: PS3.4 C.4.1.2.1: without relational queries, the unique keys of all levels above are single values.
_KEYS_ABOVE: dict[Level, tuple[str, ...]] = {
    "STUDY": (),
    "SERIES": ("StudyInstanceUID",),
    "IMAGE": ("StudyInstanceUID", "SeriesInstanceUID"),
}


#: PS3.4 C.4.1.1.4: cancelled, though nobody asked for it; out of resources.
_CUT_SHORT = frozenset({_CANCELLED, 0xA700})


#: Of one query: as much as is kept in memory.
_MOST_MATCHES, _MOST_BYTES = 100_000, 64 << 20


class CutShort(PeerRefused):
    """The peer has more matches than it answers at once.

    Parameters
    ----------
    refused
        What it answered in the end.
    found
        The matches that it gave before.
    """

    def __init__(self, refused: PeerRefused, found: list[dict[str, str]]) -> None:
        Transient.__init__(self, str(refused))
        self.status, self.comment, self.found = refused.status, refused.comment, found


class Search:
    """An open association on which a peer is asked one thing after another; for one thread."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._context = conversation.context(STUDY_ROOT_FIND)

    def watch(self, watch: Callable[[], None] | None) -> None:
        """Call this every second or so while the peer is waited for; where it raises, the waiting ends with that."""
        self._conversation.watch(watch)

    def find(self, level: Level, keys: Mapping[str, str], limit: int | None = None) -> list[dict[str, str]]:
        r"""Return what matches.

        Parameters
        ----------
        level
            Whether studies, series or images are asked for.
        keys
            Values to match by keyword, several of a UID joined by ``\\``; an empty value asks for what it is.
        limit
            The most answers that are wanted, 1 or more; the peer is then asked to stop.

        Returns
        -------
        list
            A match each: its values by keyword, text decoded by (0008,0005); what the peer does not tell is absent or
            empty.

        Raises
        ------
        ValueError
            When a key is no keyword, its value not what its VR asks for, or the UID of a level above is missing.
        PeerRefused
            When the peer answers with a failure; `CutShort` when it has more matches than it answers at once.
        PeerUnreachable
            When it aborts, breaks off, does not answer in time, answers without an end, or its answer cannot be read.
        """
        if missing := [key for key in _KEYS_ABOVE[level] if not keys.get(key)]:
            raise ValueError(f"a query for {level} needs {' and '.join(missing)}")
        syntax = self._context.transfer_syntax_uid
        message_id = self._conversation.request(
            self._context,
            {
                Element.COMMAND_FIELD: CommandField.C_FIND_RQ,
                Element.AFFECTED_SOP_CLASS_UID: STUDY_ROOT_FIND,
                Element.PRIORITY: _MEDIUM_PRIORITY,
            },
            encode_keys({"QueryRetrieveLevel": level, **keys}, syntax),
        )
        return self._matches(message_id, limit)

    def _matches(self, message_id: int, limit: int | None) -> list[dict[str, str]]:
        peer, found = self._conversation.peer, list[dict[str, str]]()
        until, left_bytes = Deadline.within(self._conversation.timeouts.query_s), _MOST_BYTES
        while (message := self._answer(message_id, until)).status in _PENDING:
            if limit is not None and len(found) >= limit:
                continue
            left_bytes -= len(message.dataset)
            if left_bytes < 0 or len(found) >= _MOST_MATCHES:
                most = f"{_MOST_MATCHES} matches, or {_MOST_BYTES >> 20} MB of them"
                raise PeerUnreachable(f"{peer} answers with more than {most}: narrow the query")
            with readable(peer):
                found.append(texts_of(message.dataset, self._context.transfer_syntax_uid))
            if len(found) == limit:
                self._conversation.cancel(self._context, message_id)
                until = min(until, Deadline.within(self._conversation.timeouts.cancel_s))
        is_enough = limit is not None and len(found) >= limit
        if message.status != _SUCCESS and not (message.status == _CANCELLED and is_enough):
            refused = PeerRefused(peer, "C-FIND", message.status, message.comment)
            raise CutShort(refused, found) if message.status in _CUT_SHORT else refused
        return found

    def _answer(self, message_id: int, until: Deadline) -> Message:
        return self._conversation.answer(CommandField.C_FIND_RQ, message_id, until)


@contextmanager
def open_search(
    peer: PeerAddress,
    calling_ae_title: str,
    timeouts: Timeouts | None = None,
    watch: Callable[[], None] | None = None,
) -> Iterator[Search]:
    """Open an association for queries, as `Search.watch` says; release it at the end, abort it on error.

    Raises
    ------
    PeerUnreachable
        When no association comes about.
    ContextNotAccepted
        When the peer takes the association but no Study Root queries.
    """
    with open_conversation(peer, calling_ae_title, [STUDY_ROOT_FIND], timeouts, watch=watch) as conversation:
        yield Search(conversation)
