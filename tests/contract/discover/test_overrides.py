"""Overrides over a real etcd, docker-discover and HAProxy: what they change, and what ends them."""

import time
from collections import Counter

from catalog.keys import EVERY_SERVICE, OverrideKey, key_of
from catalog.overrides.override import Override, encode
from catalog.store import Store
from tests.parts.backend import backends
from tests.parts.caller import Caller
from tests.parts.discover import Discover, publish
from tests.parts.etcd import Etcd
from tests.parts.haproxy import get
from tests.parts.ports import free_port
from tests.parts.records import PREFIX, local
from tests.parts.wait import wait_for

FIRST, SECOND = "000000000001:8000", "000000000002:8000"
KEY = OverrideKey("whoami", "x")


def put(etcd: Etcd, override: Override, key: OverrideKey = KEY) -> None:
    etcd.ctl("put", key_of(PREFIX, key), encode(override).decode())


def delete(etcd: Etcd, key: OverrideKey = KEY) -> None:
    etcd.ctl("del", key_of(PREFIX, key))


def answers(port: int, calls: int = 20) -> Counter[str]:
    """Return how often each instance answers; a call that fails counts as its status."""
    replies = (get(port) for _ in range(calls))
    return Counter(body if status == 200 else str(status) for status, body in replies)


def laid_out(discover: Discover, port: int) -> dict[str, tuple[int, bool]]:
    listener = discover.explain()["listeners"].get(f"whoami:{port}", {"servers": ()})
    return {it["name"]: (it["weight"], it["draining"]) for it in listener["servers"]}


def test_a_weight_changes_shares_and_draining_moves_calls_without_a_reload(
    etcd: Etcd, discover: Discover
) -> None:
    port = free_port()
    with backends("one", "two") as (one, two):
        publish(etcd, local(1, one, port, mode="http"), local(2, two, port, mode="http"))
        wait_for(lambda: answers(port) == {"one": 10, "two": 10}, 10, "both answer")
        reloads = discover.reloads()

        with Caller(port) as caller:
            put(etcd, Override(by="anna", instance=SECOND, weight=25))
            wait_for(lambda: answers(port) == {"one": 16, "two": 4}, 5, "a fifth goes to two")

            put(etcd, Override(by="anna", instance=FIRST, state="draining"))
            wait_for(lambda: answers(port) == {"two": 20}, 5, "one gets no new calls")

            delete(etcd)
            wait_for(lambda: answers(port) == {"one": 10, "two": 10}, 5, "both answer again")

        assert caller.failed == []
        assert len(caller.replies) > 10
        assert discover.reloads() == reloads


def test_one_that_is_over_ends_by_itself_though_its_key_stands(
    etcd: Etcd, discover: Discover
) -> None:
    port = free_port()
    with backends("one", "two") as (one, two):
        publish(etcd, local(1, one, port), local(2, two, port))
        put(etcd, Override(by="anna", instance=FIRST, state="draining", until_s=1))
        wait_for(lambda: answers(port) == {"one": 10, "two": 10}, 10, "it was over before it began")

        end_s = int(time.time()) + 3
        put(etcd, Override(by="anna", instance=FIRST, state="draining", until_s=end_s))
        wait_for(lambda: answers(port, 4) == {"two": 4}, 3, "it drains")
        wait_for(lambda: "one" in answers(port, 4), 10, "it is over")
        assert end_s <= time.time() < end_s + 2
        assert discover.explain()["overrides"] == []
        assert etcd.ctl("get", key_of(PREFIX, KEY)).strip(), "nobody has to delete it"


def test_bad_ones_cost_themselves_alone(etcd: Etcd, discover: Discover) -> None:
    port = free_port()
    with backends("one", "two") as (one, two):
        publish(etcd, local(1, one, port), local(2, two, port))
        put(etcd, Override(by="anna", instance=FIRST, state="draining"))
        for number, value in enumerate(["{", '{"v":2}', '{"v":1,"by":"eve","to":"127.0.0.1:1"}']):
            etcd.ctl("put", key_of(PREFIX, OverrideKey("whoami", f"bad-{number}")), value)
        put(etcd, Override(by="eve", instance=SECOND, state="draining"), OverrideKey("other", "x"))
        every = OverrideKey(EVERY_SERVICE, "x")
        put(etcd, Override(by="eve", instance=SECOND, state="draining"), every)

        for words in ("not JSON", "v: 2", "another machine on each host", "of every service"):
            discover.wait_refused("BAD_OVERRIDE", words)
        discover.wait_refused("OVERRIDE_UNUSED", "other has no instance of 000000000002")
        wait_for(lambda: laid_out(discover, port)[FIRST] == (100, True), 5, "the good one counts")
        assert laid_out(discover, port)[SECOND] == (100, False)
        (shown,) = [it for it in discover.explain()["overrides"] if it["service"] == "whoami"]
        assert (shown["by"], shown["instance"]) == ("anna", FIRST)


def test_a_host_is_drained_with_what_starts_there_meanwhile(etcd: Etcd, discover: Discover) -> None:
    port = free_port()
    key = OverrideKey(EVERY_SERVICE, "drain-h1")
    publish(etcd, local(1, free_port(), port))
    wait_for(lambda: laid_out(discover, port) == {FIRST: (100, False)}, 10, "it is called")

    put(etcd, Override(by="anna", host="h1", state="draining"), key)
    wait_for(lambda: laid_out(discover, port) == {FIRST: (100, True)}, 5, "it drains")
    publish(etcd, local(2, free_port(), port))
    both = {FIRST: (100, True), SECOND: (100, True)}
    wait_for(lambda: laid_out(discover, port) == both, 5, "also what came later")

    delete(etcd, key)
    wait_for(lambda: laid_out(discover, port)[SECOND] == (100, False), 5, "all are back")


def test_without_etcd_a_drain_stays_also_after_a_start_and_one_of_a_lease_ends(
    etcd: Etcd, discover: Discover
) -> None:
    port = free_port()
    publish(etcd, local(1, free_port(), port), local(2, free_port(), port))
    put(etcd, Override(by="anna", instance=FIRST, state="draining"))
    leased = OverrideKey("whoami", "leased")
    store = Store(etcd.access)
    lease = store.grant(60)
    value = encode(Override(by="r-12", instance=SECOND, weight=5)).decode()
    etcd.ctl("put", key_of(PREFIX, leased), value, f"--lease={lease:x}")
    store.close()
    with_both = {FIRST: (100, True), SECOND: (5, False)}
    wait_for(lambda: laid_out(discover, port) == with_both, 10, "both count")

    etcd.kill()
    alone = {FIRST: (100, True), SECOND: (100, False)}
    wait_for(lambda: laid_out(discover, port) == alone, 30, "nobody vouches for the lease")

    discover.stop()
    discover.start()
    wait_for(lambda: laid_out(discover, port) == alone, 20, "the drain is remembered")
