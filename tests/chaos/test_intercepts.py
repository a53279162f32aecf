"""Twenty intercepts under load, ended by ^C, by SIGKILL and by silence.

Calls without the header never notice; those with it go where they should, and back within 15 s.
"""

import signal
import statistics
import time
from pathlib import Path

from bench.load import Load
from tests.parts.backend import backend
from tests.parts.discover import discovering, publish
from tests.parts.etcd import Etcd
from tests.parts.intercepts import Tandem, get
from tests.parts.ports import free_port
from tests.parts.records import local
from tests.parts.wait import assert_holds, wait_for

COUNT, BACK_S = 20, 15.0
DEV = {"x-dev": "anna"}
# A process that is stopped keeps its lease alive no more than one whose network is gone.
ENDINGS = {"^C": signal.SIGINT, "SIGKILL": signal.SIGKILL, "silence": signal.SIGSTOP}


def test_twenty_intercepts_begin_and_end_under_load(tmp_path: Path) -> None:
    port = free_port()
    (folder := tmp_path / "etcd").mkdir()
    with (
        Etcd(folder) as etcd,
        discovering(tmp_path / "h1", etcd.endpoint, "--host-id", "h1") as first,
        backend("shop") as shop,
        backend("laptop") as laptop,
    ):
        publish(etcd, local(1, shop, port, "shop", mode="http"))
        wait_for(lambda: get(port, **DEV) == (200, "shop"), 20, "it answers")

        first.wait_said(f"new listen shop:{port}")
        reloads = first.reloads()
        back_s: dict[str, list[float]] = {name: [] for name in ENDINGS}
        begun_s: list[float] = []
        words = ("shop", "--to", f"127.0.0.1:{laptop}", "--header", "x-dev=anna")
        with Load("127.0.0.1", port, "shop", rate=50) as load:
            for number in range(COUNT):
                how = list(ENDINGS)[number % len(ENDINGS)]
                began_s = time.monotonic()
                tandem = Tandem(etcd, tmp_path, *words)
                tandem.wait_said("shop on h1: calls with x-dev=anna go to")
                begun_s.append(time.monotonic() - began_s)
                assert_holds(lambda: get(port, **DEV) == (200, "laptop"), 1, "it is led here")

                ended_s = time.monotonic()
                tandem.process.send_signal(ENDINGS[how])
                wait_for(lambda: get(port, **DEV) == (200, "shop"), 30, f"{how} gives it back")
                back_s[how].append(time.monotonic() - ended_s)
                tandem.process.kill()
                tandem.process.wait(10)

        for how, times_s in back_s.items():
            median_s, longest_s = statistics.median(times_s), max(times_s)
            print(f"{how}: {len(times_s)} back after {median_s:.2f} s, {longest_s:.2f} at most")
        print(f"begun within {statistics.median(begun_s):.2f} s, {max(begun_s):.2f} at most")
        print(f"{load.done()} calls without the header, lost {load.lost()}")
        assert load.lost() == {}
        assert load.done() > COUNT * 200
        assert max(max(times_s) for times_s in back_s.values()) <= BACK_S
        assert first.reloads() == reloads + 1, "the first intercept"
