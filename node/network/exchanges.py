"""Exchanges that gather little or nothing: what is thrown away, what the library serves, what is answered as a whole.

References
----------
DICOM PS3.7 9.3, 10.3 (messages).
"""

from collections.abc import Callable, Sequence


class Thrown:
    """A message that is answered without a look at its dataset, or not at all.

    Parameters
    ----------
    response
        The encoded response, or None.
    """

    __slots__ = ("_response",)

    def __init__(self, response: bytes | None) -> None:
        self._response = response

    def write(self, fragments: Sequence[memoryview]) -> None:
        """Throw the bytes away."""

    def finish(self) -> bytes | None:
        """Return the response."""
        return self._response

    def abandon(self) -> None:
        """Leave nothing; there is nothing."""


class Gathered:
    """A message whose dataset is gathered and then served as a whole.

    Parameters
    ----------
    serve
        Called with the whole dataset, empty where there is none; returns the response, None where it is answered
        elsewhere.
    maximum_bytes
        The longest dataset that is gathered.
    too_long
        The response where the dataset is longer.
    """

    __slots__ = ("_dataset", "_left_bytes", "_serve", "_too_long")

    def __init__(self, serve: Callable[[bytes], bytes | None], maximum_bytes: int, too_long: bytes) -> None:
        self._serve, self._left_bytes, self._too_long = serve, maximum_bytes, too_long
        self._dataset = bytearray()

    def write(self, fragments: Sequence[memoryview]) -> None:
        """Gather the bytes."""
        self._left_bytes -= sum(map(len, fragments))
        if self._left_bytes < 0:
            self._dataset.clear()
            return
        for fragment in fragments:
            self._dataset += fragment

    def finish(self) -> bytes | None:
        """Have the message served."""
        if self._left_bytes < 0:
            return self._too_long
        return self._serve(bytes(self._dataset))

    def abandon(self) -> None:
        """Forget what has come."""
        self._dataset.clear()
