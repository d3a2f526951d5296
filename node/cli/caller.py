"""Who runs a verb: what the audit and the timelines call them."""

import os
import pwd


def who() -> str:
    """Return the user of the operating system who runs this, and on whose behalf; the environment has no say in it."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container may have no name for its user
        name = str(os.getuid())
    behind = os.environ.get("SUDO_USER", "") if os.geteuid() == 0 else ""
    return f"{name} (sudo by {behind})" if behind and behind != name else name
