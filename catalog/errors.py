"""The kinds of error, told apart by what the caller should do. Any other error is a bug.

A bug ends the process; its supervisor starts it again.
"""


class Unavailable(Exception):
    """Something outside is away or slow: back off, keep all state, try again."""


class Full(Unavailable):
    """etcd has no space left: it refuses puts and new leases, yet deletes and renews leases."""


class Refused(Unavailable):
    """The other side refuses our rights or password: asking more often does not help."""


class Rejected(Exception):
    """One input is wrong (label, record, template): skip it, log it once, wait for a change.

    The message is one line: what, where, what was seen, what would be right.
    """


class Conflict(Exception):
    """A write found other revisions than expected, and wrote nothing: read again, then decide."""


class Compacted(Exception):
    """The revision to watch from is gone from etcd's history: list again."""
