"""How a command ends: one exit status for each kind of ending. Scripts depend on them."""

DONE = 0
NO = 1  # it is not so, and waiting does not help
WRONG_USE = 2
NOT_FOUND = 3
DEADLINE = 4
UNREACHABLE = 5
GUARD = 6  # it could be done, and would harm, or needs a right that you do not have
INTERRUPTED = 130

MEANINGS = {
    DONE: "yes, or done",
    NO: "no: it is not so, and waiting does not help",
    WRONG_USE: "wrong flag, argument or setting",
    NOT_FOUND: "nothing of that name",
    DEADLINE: "the deadline passed",
    UNREACHABLE: "etcd or the pair cannot be reached",
    GUARD: "refused by a guard: the last instance, somebody else's, or a right that is missing",
    INTERRUPTED: "interrupted",
}


class End(Exception):
    """The command ends here, with a status and a text for people, which may be empty."""

    def __init__(self, status: int, text: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.text = text
