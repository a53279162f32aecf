"""The kinds of error, told apart by what should happen next. Anything else is a bug and ends the process."""


class Unavailable(Exception):
    """Something outside is away or slow: back off, keep all state, try again."""


class Full(Unavailable):
    """etcd has no space left: it takes no put and no new lease, but keeps leases alive and deletes."""


class Refused(Unavailable):
    """The other side knows us and says no (rights, password): asking sooner or more often helps nobody."""


class Rejected(Exception):
    """Our input is wrong (label, record, template): skip it alone, say it once, wait for a change.

    The message is one line: what, where, what was seen, what would be right.
    """


class Conflict(Exception):
    """A fenced write found other revisions than it expected: nothing was written; read again, then decide."""


class Compacted(Exception):
    """The revision to watch from is gone from etcd's history: list again."""
