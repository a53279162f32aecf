"""What other threads ask of the lease keeper, and its wait for that."""

from register.records.host_state import Command
from sidecar.trigger import Trigger


class Requests:
    """Any thread may ask, a signal's handler too. Only the lease keeper waits and answers."""

    def __init__(self) -> None:
        self.command: Command | None = None
        self.owner_changed = False  # by an event; the lease was not confirmed since
        self.is_leaving = False  # another life of this container goes on
        self._trigger = Trigger()

    def ask(self, command: Command) -> None:
        """Ask to drain the host, or to bring it back."""
        self.command = command
        self._trigger.fire(command)

    def recheck(self, *, changed: bool) -> None:
        """Ask to read the owner key now; `changed`: an event shows that it changed."""
        self.owner_changed = self.owner_changed or changed
        self._trigger.fire("recheck")

    def leave(self) -> None:
        """Ask to leave the host to the next life of this container."""
        self.is_leaving = True
        self._trigger.fire("leave")

    def stop(self) -> None:
        """End the wait."""
        self._trigger.fire("stop")

    def wait(self, seconds: float) -> None:
        """Wait so long, or until somebody asks for something."""
        self._trigger.wait(seconds)

    def answered(self, command: Command) -> None:
        """Note that a command was done, unless another one came meanwhile."""
        if self.command == command:
            self.command = None
