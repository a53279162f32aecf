"""The text that Prometheus reads."""

import threading

import pytest

from sidecar.status.metrics import Metrics


def text(metrics: Metrics) -> str:
    return metrics.text().decode()


def test_a_counter_begins_at_zero_and_counts() -> None:
    metrics = Metrics()
    counter = metrics.counter("calls", "Calls \\ of\nall")
    assert text(metrics).endswith("tandem_calls_total 0.0\n")

    counter.inc()
    counter.inc(2.5)

    assert text(metrics) == (
        "# HELP tandem_calls_total Calls \\\\ of\\nall\n"
        "# TYPE tandem_calls_total counter\n"
        "tandem_calls_total 3.5\n"
    )


def test_labels_are_escaped_and_shown_from_their_first_use() -> None:
    metrics = Metrics()
    counter = metrics.counter("by", "By", "kind")
    assert text(metrics).endswith("# TYPE tandem_by_total counter\n")

    counter.labels('a"b\\c\nd').inc(2.5)
    counter.labels("z")

    assert text(metrics).endswith(
        'tandem_by_total{kind="a\\"b\\\\c\\nd"} 2.5\ntandem_by_total{kind="z"} 0.0\n'
    )


def test_the_number_of_labels_must_fit() -> None:
    counter = Metrics().counter("by", "By", "kind", "why")

    with pytest.raises(ValueError, match="Incorrect label count"):
        counter.labels("one")


def test_a_gauge_is_set_read_and_cleared() -> None:
    metrics = Metrics()
    gauge, by_code = metrics.gauge("g", "G"), metrics.gauge("by_code", "By code", "code")
    values = iter((1.5, float("inf")))

    gauge.set_function(lambda: next(values))
    by_code.labels("a").set(7)
    by_code.labels("a").inc()

    assert text(metrics) == (
        "# HELP tandem_g G\n"
        "# TYPE tandem_g gauge\n"
        "tandem_g 1.5\n"
        "# HELP tandem_by_code By code\n"
        "# TYPE tandem_by_code gauge\n"
        'tandem_by_code{code="a"} 8.0\n'
    )
    by_code.clear()
    assert "tandem_g +Inf\n" in text(metrics)


def test_a_histogram_counts_all_up_to_each_bound() -> None:
    metrics = Metrics()
    histogram = metrics.histogram("h_seconds", "H", (0.1, 1.0))

    for value in (0.05, 0.1, 3):
        histogram.observe(value)

    assert text(metrics) == (
        "# HELP tandem_h_seconds H\n"
        "# TYPE tandem_h_seconds histogram\n"
        'tandem_h_seconds_bucket{le="0.1"} 2.0\n'
        'tandem_h_seconds_bucket{le="1.0"} 2.0\n'
        'tandem_h_seconds_bucket{le="+Inf"} 3.0\n'
        "tandem_h_seconds_count 3.0\n"
        "tandem_h_seconds_sum 3.15\n"
    )


def test_a_histogram_takes_the_time() -> None:
    metrics = Metrics()

    with metrics.histogram("h_seconds", "H", (60.0,)).time():
        pass

    assert 'tandem_h_seconds_bucket{le="60.0"} 1.0\n' in text(metrics)


def test_no_count_of_many_threads_is_lost() -> None:
    metrics = Metrics()
    counter = metrics.counter("calls", "Calls", "kind")

    def count() -> None:
        for _ in range(2_000):
            counter.labels("a").inc()

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert 'tandem_calls_total{kind="a"} 8000.0\n' in text(metrics)
