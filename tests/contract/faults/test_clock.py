"""Row 33: the wall clock jumps an hour forward and back under docker-register; libfaketime is its
clock.
"""

from functools import partial
from pathlib import Path

import pytest

from tests.parts.engine import Engine
from tests.parts.etcd import Etcd
from tests.parts.register import Catalog, Register
from tests.parts.served import serve
from tests.parts.wait import assert_holds, wait_for

TTL_S = 5


def test_a_clock_that_jumps_loses_no_lease(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
    clock = tmp_path / "clock"
    clock.write_text("+0\n")
    environment = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    with Etcd(tmp_path / "etcd") as etcd, Engine() as engine:
        register = Register(tmp_path, etcd, TTL=str(TTL_S))
        with monkeypatch.context() as only_here:
            for name, text in environment.items():
                only_here.setenv(name, text)
            register.start(wait=False)
        catalog = Catalog(etcd)
        try:
            wait_for(register.is_ready, 30, "ready")
            serve(engine, "stays-33")
            stays = partial(catalog.instance, "stays-33")
            wait_for(stays, 20, "published")
            leases = etcd.ctl("lease", "list")
            for number, jump in enumerate(("+3600", "-3600", "+0")):
                clock.write_text(f"{jump}\n")
                one = serve(engine, f"late-33-{number}")
                wait_for(lambda n=number: catalog.instance(f"late-33-{n}"), 20, "published")  # type: ignore[misc]
                assert_holds(stays, 1.5 * TTL_S, "published all the while")
                one.do("rm", "-f")
                wait_for(lambda n=number: not catalog.instance(f"late-33-{n}"), 20, "gone")  # type: ignore[misc]
            assert etcd.ctl("lease", "list") == leases
            hours = {line.partition("T")[2][:2] for line in register.log.splitlines()}
            assert len(hours) >= 3, "the clock did not jump"
        finally:
            catalog.close()
            register.end()
