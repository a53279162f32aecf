"""What the lease keeper reports: health, and each warning once."""

import logging

from sidecar.status.health import Health

log = logging.getLogger(__name__)


class LeaseReport:
    """Repeats no warning until another one came, or until the lease was confirmed."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._last_warning: str | None = None

    def turned(self) -> None:
        """Report that the loop went round."""
        self._health.turned("lease")

    def identified(self) -> None:
        """Report that the host is known."""
        self._health.good("host")

    def reached_etcd(self) -> None:
        """Report that etcd answered."""
        self._health.good("etcd")

    def confirmed(self) -> None:
        """Report that the lease is held."""
        self._last_warning = None
        for fact in ("etcd", "owner"):
            self._health.good(fact)

    def failed(self, why: str, *, is_identified: bool) -> None:
        """Report that etcd, or whatever identifies the host, cannot be reached."""
        self._health.turned("lease")
        self._health.bad("etcd" if is_identified else "host", why)

    def not_owner(self, why: str) -> None:
        """Report why this registrar does not own the host."""
        self.warn(why)
        self._health.bad("owner", why)

    def doubts(self, why: str) -> None:
        """Report why the lease is left to expire."""
        self.warn(f"not keeping the lease alive: {why}")
        self._health.bad("owner", why)

    def warn(self, sentence: str) -> None:
        """Log a warning, if it is not the last one again."""
        if self._last_warning != sentence:
            self._last_warning = sentence
            log.warning("%s", sentence)
