"""How many commands go on one line."""

from discover.haproxy.batches import batches


def test_lines_stay_below_what_haproxy_takes() -> None:
    lines = list(batches(["set server web:80/a:80 state maint"] * 1000))

    assert sum(line.count("@1 set server") for line in lines) == 1000
    assert all(len(line) <= 8000 for line in lines)
