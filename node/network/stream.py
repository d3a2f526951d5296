"""The bytes of an established association, parsed where they lie: P-DATA-TF into fragments, and what ends it.

Nothing is copied and nothing is waited for: a fragment's bytes are handed on as far as they have come, whatever its
PDU claims, so memory stays flat. It knows no socket, no clock and no message.

References
----------
DICOM PS3.8 9.3.1 (lengths), 9.3.5 (P-DATA-TF), 9.2 (which PDU may come on an established association), Annex D.1.
"""

from node.network.assembly import Assembly
from node.network.pdu import (
    ABORT,
    DATA,
    FRAGMENT,
    HEADER,
    RELEASE_RQ,
    SHORT_BYTES,
    TYPES,
    AbortReason,
    BrokenProtocol,
)

_HEADER_BYTES, _FRAGMENT_BYTES = HEADER.size, FRAGMENT.size

#: The longest run of bytes that `Stream.feed` may leave over: a release or an abort with one byte missing.
LEFT_OVER_BYTES = _HEADER_BYTES + SHORT_BYTES - 1


class Released(Exception):  # noqa: N818 - a way to end, not an error
    """The peer asks for the release of the association, between two messages."""


class Aborted(Exception):  # noqa: N818 - a way to end, not an error
    """The peer has aborted the association."""


class Stream:
    """Parses what comes on one association, in pieces of any length.

    Parameters
    ----------
    assembly
        Takes the fragments.
    maximum_bytes
        The longest P-DATA-TF content that was negotiated.
    """

    def __init__(self, assembly: Assembly, maximum_bytes: int) -> None:
        self._assembly, self._maximum_bytes = assembly, maximum_bytes
        self._pdu_left = 0  # bytes of the P-DATA-TF that are still to come
        self._fragment_left = 0  # of these, bytes of the fragment
        self.pdus = 0  #: how many P-DATA-TF have begun

    @property
    def is_within_pdu(self) -> bool:
        """Whether a P-DATA-TF has begun and not ended."""
        return self._pdu_left > 0

    def feed(self, view: memoryview) -> int:
        """Parse what has come, and hand it on.

        Parameters
        ----------
        view
            The bytes that follow those that were parsed before.

        Returns
        -------
        int
            How many of them are parsed. The rest, at most `LEFT_OVER_BYTES`, is to be given again with what follows it.

        Raises
        ------
        BrokenProtocol
            At what the Standard rules out.
        Released, Aborted
            Where the peer ends the association.
        """
        position, end = 0, len(view)
        while position < end:
            if self._fragment_left:
                position = self._continue_fragment(view, position, end)
                continue
            begin = self._begin_fragment if self._pdu_left else self._begin_pdu
            begun = begin(view, position, end)
            if begun == position:
                break
            position = begun
        self._assembly.hand_on()
        return position

    def _continue_fragment(self, view: memoryview, position: int, end: int) -> int:
        stop = min(position + self._fragment_left, end)
        self._assembly.take(view[position:stop])
        taken = stop - position
        self._pdu_left -= taken
        self._fragment_left -= taken
        if not self._fragment_left:
            self._assembly.end_fragment()
        return stop

    def _begin_fragment(self, view: memoryview, position: int, end: int) -> int:
        if self._pdu_left < _FRAGMENT_BYTES:
            raise BrokenProtocol("a P-DATA-TF ends within the header of a fragment")
        if end - position < _FRAGMENT_BYTES:
            return position
        length, context_id, control = FRAGMENT.unpack_from(view, position)
        # PS3.8 Table 9-23: the length counts the context ID and the message control header
        if length < 2 or length + 4 > self._pdu_left:
            raise BrokenProtocol("a fragment is shorter than its header or overruns its P-DATA-TF")
        self._pdu_left -= _FRAGMENT_BYTES
        self._fragment_left = length - 2
        self._assembly.begin_fragment(context_id, control)
        if length == 2:
            self._assembly.end_fragment()
        return position + _FRAGMENT_BYTES

    def _begin_pdu(self, view: memoryview, position: int, end: int) -> int:
        if end - position < _HEADER_BYTES:
            return position
        kind, length = HEADER.unpack_from(view, position)
        check_header(kind, length, self._maximum_bytes, is_within_message=self._assembly.is_within_message)
        if kind != DATA:
            return self._end(kind, position, end)
        self._pdu_left = length
        self.pdus += 1
        return position + _HEADER_BYTES

    def _end(self, kind: int, position: int, end: int) -> int:
        """End the association, once the whole PDU has come."""
        if end - position < _HEADER_BYTES + SHORT_BYTES:
            return position
        raise Aborted if kind == ABORT else Released


def check_header(kind: int, length: int, maximum_bytes: int, *, is_within_message: bool) -> None:
    """Raise `BrokenProtocol` where a PDU may not come on an established association, or not of this length.

    Parameters
    ----------
    kind, length
        Its type, and how many bytes it claims after its header.
    maximum_bytes
        The longest P-DATA-TF content that was negotiated.
    is_within_message
        Whether a message has begun and not ended.
    """
    if kind == DATA:
        if not _FRAGMENT_BYTES <= length <= maximum_bytes:
            raise BrokenProtocol(f"a P-DATA-TF claims {length} bytes")
        return
    if kind not in (RELEASE_RQ, ABORT):
        reason = AbortReason.UNEXPECTED_PDU if kind in TYPES else AbortReason.UNRECOGNISED_PDU
        raise BrokenProtocol(f"a PDU of type 0x{kind:02X} on an established association", reason)
    if length != SHORT_BYTES:
        raise BrokenProtocol(f"a release or an abort claims {length} bytes")
    if kind == RELEASE_RQ and is_within_message:
        raise BrokenProtocol("a release within a message", AbortReason.UNEXPECTED_PDU)
