"""Callers that were turned away, and what would let them in."""

import json


def let_in_with(reason: str, calling_ae_title: str, address: str) -> str:
    """Return the lines of config.toml that would let a rejected caller in, or "" where none would.

    Parameters
    ----------
    reason
        Why it was rejected, in the words of the rejection.
    calling_ae_title, address
        Who called, and from where.
    """
    if "calling AE title" not in reason or not calling_ae_title:
        return ""
    name = "".join(c if c.isascii() and c.isalnum() else "-" for c in calling_ae_title.lower()).strip("-") or "sender"
    return "\n".join(
        (
            "[[peers]]",
            f'name = "{name}"',
            f"ae_title = {json.dumps(calling_ae_title)}",  # a quotation mark in it must not end the string
            f'host = "{address}"',
            "port = 104  # where it listens, if it does",
            "may_send = true",
        )
    )
