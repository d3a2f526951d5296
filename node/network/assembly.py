"""Fragments put together to messages: the part of receiving that both readers share.

A command set is gathered and decoded; what follows of its dataset is handed on as it comes, to the exchange that the
command opened. Nothing of a dataset is kept here. It knows no socket, no SOP class and no status.

References
----------
DICOM PS3.7 6.3 (messages), PS3.8 9.3.5 (P-DATA-TF), Annex E (message control header: command or dataset, last or not).
"""

from collections.abc import Callable, Container, Sequence
from typing import Protocol

from node.network.command import Command, MalformedCommand, decode_command
from node.network.pdu import IS_COMMAND, IS_LAST, AbortReason, BrokenProtocol

#: Far above any command set (PS3.7 E.1); a peer that sends more is not speaking DICOM.
_MAXIMUM_COMMAND_BYTES = 64 * 1024

#: How much is handed on at once, of fragments as small as a byte: writev(2) takes no more than 1024.
_MAXIMUM_PIECES = 512


class Exchange(Protocol):
    """One message being served: it takes the dataset and gives the response; ended by `finish` or by `abandon`."""

    def write(self, fragments: Sequence[memoryview]) -> None:
        """Take the next bytes of the dataset, in order; the views are valid during the call only."""

    def finish(self) -> bytes | None:
        """Return the encoded response to the message, which has come whole; None where it has none, or not from here.

        Raises
        ------
        BrokenProtocol
            Where nothing can be answered.
        """

    def abandon(self) -> None:
        """Leave nothing: the association ended half way."""


Open = Callable[[int, Command, bytes], Exchange]
"""Opens the exchange of a message: context ID, command set, and that as it came; may raise `BrokenProtocol`."""


class Assembly:
    """Puts the fragments of one association together.

    What is out of order (a context that was not accepted, another context within a message, a dataset without its
    command) raises `BrokenProtocol`, and so ends the association.

    Parameters
    ----------
    accepted
        The context IDs that were accepted.
    open_exchange
        Called with each whole command set.
    answer
        Sends an encoded response on a context.
    """

    def __init__(self, accepted: Container[int], open_exchange: Open, answer: Callable[[int, bytes], None]) -> None:
        self._accepted, self._open_exchange, self._answer = accepted, open_exchange, answer
        self._context_id: int | None = None
        self._control = 0
        self._command = bytearray()
        self._exchange: Exchange | None = None
        self._pieces: list[memoryview] = []

    @property
    def is_within_message(self) -> bool:
        """Whether a message has begun and not ended."""
        return self._context_id is not None

    def begin_fragment(self, context_id: int, control: int) -> None:
        """Take a fragment's context ID and message control header."""
        if context_id != self._context_id:
            if self._context_id is not None:
                raise BrokenProtocol("fragments of several contexts within a message", AbortReason.UNEXPECTED_PARAMETER)
            if context_id not in self._accepted:
                raise BrokenProtocol("a fragment on a context that was not accepted")  # PS3.8 9.3.5.1
            self._context_id = context_id
        if bool(control & IS_COMMAND) is not (self._exchange is None):
            raise BrokenProtocol("command and dataset fragments out of order", AbortReason.UNEXPECTED_PARAMETER)
        self._control = control

    def take(self, data: memoryview) -> None:
        """Take bytes of the fragment, in order; the view must last until `hand_on`."""
        if self._exchange is not None:
            self._pieces.append(data)
            if len(self._pieces) >= _MAXIMUM_PIECES:
                self.hand_on()
        elif len(self._command) + len(data) > _MAXIMUM_COMMAND_BYTES:
            raise BrokenProtocol("the command set is longer than any")
        else:
            self._command += data

    def end_fragment(self) -> None:
        """Take the end of the fragment; the last of a message has it answered."""
        if not self._control & IS_LAST:
            return
        if self._exchange is None:
            self._open()
        else:
            self.hand_on()
            self._finish(self._exchange)

    def _open(self) -> None:
        encoded = bytes(self._command)
        self._command.clear()
        try:
            command = decode_command(encoded)
        except MalformedCommand as error:
            raise BrokenProtocol(str(error)) from error
        self._exchange = self._open_exchange(self._context_id or 0, command, encoded)
        if not command.has_dataset:
            self._finish(self._exchange)

    def _finish(self, exchange: Exchange) -> None:
        context_id, self._context_id, self._exchange = self._context_id or 0, None, None
        response = exchange.finish()
        if response is not None:
            self._answer(context_id, response)

    def hand_on(self) -> None:
        """Hand on what has come of the dataset; afterwards no view is held."""
        if self._exchange is not None and self._pieces:
            self._exchange.write(self._pieces)
            self._pieces = []

    def abandon(self) -> None:
        """End the message that has not come whole."""
        exchange, self._exchange, self._pieces = self._exchange, None, []
        if exchange is not None:
            exchange.abandon()
