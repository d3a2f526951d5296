"""The three ways in which work fails, told apart by what happens next."""


class Refused(Exception):  # noqa: N818 - the word of the design: a refusal is an answer to a peer
    """A peer's request is answered with a failure status; nothing of it is kept.

    Parameters
    ----------
    status
        The DIMSE status, 0x0000 to 0xFFFF (DICOM PS3.4 B.2.3, PS3.7 Annex C).
    reason
        One sentence for the log and the (0000,0902) Error Comment; no patient data.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"0x{status:04X}: {reason}")
        self.status = status
        self.reason = reason


class Transient(Exception):  # noqa: N818 - the word of the design
    """The work failed for a cause that may pass; it is tried again after a backoff."""


class WorkerLost(Transient):
    """The process that did the work died, hung or ran out of memory; another one takes its place."""


class NoSpace(Transient):
    """A disk has no room for what the work is to write: it waits for room, and is not at fault."""


class WorkStopped(Transient):
    """The node ends while the work is in hand: it was not at fault, and goes on at the next start."""


class Permanent(Exception):  # noqa: N818 - the word of the design
    """The work failed for a cause that trying again cannot mend; it is buried where the operator sees it."""


class OperatorError(Exception):
    """What an operator asked for cannot be done; the message names the thing, the value and the way out.

    Parameters
    ----------
    message
        One or more lines, shown as they are.
    exit_code
        1 for a thing that failed, 2 for usage or configuration.
    """

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code
