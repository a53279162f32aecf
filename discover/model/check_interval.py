"""How often HAProxy checks each instance: the more hosts ask, the more seldom each does. No I/O."""

INTERVAL_MS = 2000  # a dead host is out after 3.2 s with it (research/haproxy.md section 3.2)
INTERVAL_MAX_MS = 32_000
HOSTS_AT_INTERVAL = (
    20  # so many hosts at 2 s are ten checks a second for each instance; twice as many get 4 s
)
SHRINK_PART = 0.25  # of the hosts that an interval is for: a change is a reload, so none for a host that comes and goes


def interval_ms(before_ms: int, hosts: int) -> int:
    """Return the interval for so many hosts, where it was `before_ms`; both are INTERVAL_MS doubled some times.

    That a check finds an error late is made up for: calls that fail make the next checks come at once.
    """
    while before_ms < INTERVAL_MAX_MS and hosts > _hosts_at(before_ms):
        before_ms *= 2
    while before_ms > INTERVAL_MS and hosts < SHRINK_PART * _hosts_at(before_ms):
        before_ms //= 2
    return before_ms


def _hosts_at(interval: int) -> int:
    return HOSTS_AT_INTERVAL * interval // INTERVAL_MS
