"""What may go wrong with a question: its asker is killed, many hosts answer, roles, a flood."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pytest

from catalog.access import Access
from catalog.asking.answer import Answer
from catalog.asking.ask import APPLIED, EXPLAIN, UNTIL, Ask
from catalog.asking.inbox import Inbox, Standing
from catalog.asking.presence import Presence
from catalog.asking.responder import SETTLE_S, Answerer, Found
from catalog.asking.said_keys import said_root
from catalog.entries import Put
from catalog.keys import ProxyKey, asks_root, key_of
from catalog.store import Store
from ctl import ends
from ctl.asking import Asking
from discover.answers.speaker import Here, Speaker
from sidecar.trigger import Trigger
from tests.parts.discover import Discover, publish
from tests.parts.etcd import Etcd, require_login
from tests.parts.records import PREFIX, instance
from tests.parts.shell import Shell
from tests.parts.store import put_all, wait_until
from tests.parts.wait import assert_holds, wait_for

HOSTS = 100


def keys(etcd: Etcd, root: str) -> list[str]:
    store = Store(etcd.access)
    found = [entry.key for entry in store.list(root).entries]
    store.close()
    return found


def revision(etcd: Etcd) -> int:
    store = Store(etcd.access)
    found = store.list("/").revision
    store.close()
    return found


def simulated_one(access: Access, host: str) -> tuple[Inbox, Speaker]:
    awake = Trigger()
    inbox = Inbox(PREFIX, lambda: awake.fire("asked"))
    here = Here(lambda: host, lambda: Presence(kinds=(APPLIED, UNTIL)))
    answerers = {APPLIED: at_once, UNTIL: in_a_while()}
    return inbox, Speaker(access, PREFIX, here, answerers, inbox, awake)


def at_once(asked: Standing) -> Found:
    return Found(Answer(facts={"revision": asked.revision}))


def in_a_while() -> Answerer:
    """Return an answerer by whom it is so a moment after it was told that it is not."""
    began_s = time.monotonic()
    asked: set[str] = set()

    def answer(standing: Standing) -> Found:
        nonlocal began_s
        if standing.id not in asked:
            asked.add(standing.id)
            began_s = time.monotonic()
        is_so = time.monotonic() > began_s + 2 * SETTLE_S
        rows = tuple({"name": name, "is": is_so, "real": int(is_so)} for name in standing.ask.names)
        return Found(Answer(rows=rows), is_so, look_s=SETTLE_S / 2, news=is_so)

    return answer


@contextmanager
def simulated(access: Access, count: int) -> Iterator[None]:
    """Run so many speakers; one watch fills the inbox of each."""
    inboxes: list[Inbox] = []
    speakers: list[Speaker] = []
    for number in range(count):
        inbox, speaker = simulated_one(access, f"h{number}")
        inboxes.append(inbox)
        speakers.append(speaker)

    store = Store(access)
    listing = store.list(asks_root(PREFIX))
    watch = store.watch(asks_root(PREFIX), listing.revision)

    def fill() -> None:
        for batch in watch:
            for inbox in inboxes:
                inbox.changed(batch.events)

    threads = [threading.Thread(target=speaker.run) for speaker in speakers]
    threads.append(threading.Thread(target=fill))
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        watch.cancel()
        for speaker in speakers:
            speaker.interrupt()
        for thread in threads:
            thread.join(20)
        store.close()


def test_a_hundred_hosts_answer_with_two_hundred_writes_at_most(etcd: Etcd) -> None:
    with simulated(etcd.access, HOSTS):
        wait_for(lambda: len(keys(etcd, f"{PREFIX}/v1/hosts/")) == HOSTS, 60, "all are there")
        before = revision(etcd)
        with Asking(etcd.access, PREFIX) as asking:
            heard = list(asking.ask(Ask(APPLIED), 30))
            assert len({it.host for it in heard}) == HOSTS
            assert not asking.silent

        assert revision(etcd) - before <= 2 * HOSTS + 2  # the end of the lease is one more
        assert not keys(etcd, said_root(PREFIX))
        print(f"the last of {HOSTS} answered after {heard[-1].after_s:.3f} s")


def test_a_wait_for_a_hundred_hosts_is_two_hundred_writes_at_most(
    etcd: Etcd, capsys: pytest.CaptureFixture[str]
) -> None:
    tandem = Shell(etcd, capsys)
    with simulated(etcd.access, HOSTS):
        wait_for(lambda: len(keys(etcd, f"{PREFIX}/v1/hosts/")) == HOSTS, 60, "all are there")
        before, began_s = revision(etcd), time.monotonic()
        status, out, _ = tandem("wait", "orders", "pets", "--timeout", "30s")
        took_s = time.monotonic() - began_s
        assert status == ends.DONE
        assert [line.split("  ")[1] for line in out.splitlines()] == [
            f"ready 1/1 on {HOSTS} of {HOSTS} hosts"
        ] * 2

        assert revision(etcd) - before <= 2 * HOSTS + 2  # the end of the lease is one more
        assert not keys(etcd, said_root(PREFIX))
        before = revision(etcd)
        assert_holds(lambda: revision(etcd) == before, 1, "nothing is written while nobody asks")
        print(f"waited {took_s:.3f} s, of which {2 * SETTLE_S:g} s until it was so")


ASKER = """
import sys
from catalog.access import Access, parse_members
from catalog.asking.ask import Ask
from ctl import ends
from ctl.asking import Asking
with Asking(Access(parse_members(sys.argv[1])), "/services") as asking:
    for heard in asking.ask(Ask("applied", every_ms=1000), 600):
        print("heard", flush=True)
"""


def test_of_a_killed_asker_nothing_stays(etcd: Etcd, discover: Discover) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ASKER, etcd.endpoint], stdout=subprocess.PIPE, text=True
    ) as asker:
        assert asker.stdout is not None
        assert asker.stdout.readline() == "heard\n"
        assert keys(etcd, said_root(PREFIX))
        asker.send_signal(signal.SIGKILL)

    wait_until(lambda: not keys(etcd, said_root(PREFIX)) + keys(etcd, asks_root(PREFIX)), 30)


def test_a_flood_of_bad_questions_costs_no_service(etcd: Etcd, discover: Discover) -> None:
    store = Store(etcd.access)
    put_all(store, {f"{asks_root(PREFIX)}bad{number}": b"{" for number in range(10_000)})
    began_s = time.monotonic()
    publish(etcd, instance(1))
    wait_for(lambda: "whoami" in str(discover.explain()["listeners"]), 10, "it serves")
    assert time.monotonic() - began_s < 10
    assert discover.ready()
    assert not discover.explain()["refused"]
    store.close()


def test_an_etcd_that_comes_back_is_told_again(etcd: Etcd, discover: Discover) -> None:
    etcd.stop()
    etcd.start()
    with Asking(etcd.access, PREFIX) as asking:

        def answers() -> bool:
            return bool(list(asking.ask(Ask(EXPLAIN, "x"), 1)))

        wait_until(answers, 30)
        assert asking.fleet.proxies


def test_a_host_that_goes_is_not_waited_for(etcd: Etcd) -> None:
    store = Store(etcd.access)
    lease = store.grant(2)
    presence = b'{"v":1,"kinds":["applied"]}'
    store.write((Put(key_of(PREFIX, ProxyKey("gone")), presence, 0),), lease=lease)
    with Asking(etcd.access, PREFIX) as asking:
        began_s = time.monotonic()
        assert list(asking.ask(Ask(APPLIED), 60)) == []
        assert time.monotonic() - began_s < 30
        assert asking.left == {("gone", "discover")}
        assert not asking.silent
    store.close()


def user(etcd: Etcd, name: str, writes: Sequence[str]) -> Access:
    """Make a user that reads everything and writes below some prefixes."""
    etcd.ctl("user", "add", f"{name}:pass")
    etcd.ctl("role", "add", name)
    etcd.ctl("role", "grant-permission", name, "read", "/services/", "--prefix")
    for prefix in writes:
        etcd.ctl("role", "grant-permission", name, "readwrite", prefix, "--prefix")
    etcd.ctl("user", "grant-role", name, name)
    return replace(etcd.access, user=name, password="pass")


def test_with_the_roles_of_the_documentation_everybody_is_heard(etcd: Etcd) -> None:
    require_login(etcd, "someone", "readwrite", "/else/")
    host = user(etcd, "h0", [f"{PREFIX}/v1/hosts/h0/", f"{PREFIX}/said/h0/"])
    asker = user(etcd, "asker", [asks_root(PREFIX)])

    with simulated(host, 1), Asking(asker, PREFIX) as asking:
        wait_until(lambda: PREFIX in etcd.ctl("get", key_of(PREFIX, ProxyKey("h0"))), 20)
        for _ in range(2):
            (heard,) = asking.ask(Ask(APPLIED), 10)
            assert heard.host == "h0"

        answers = ("get", "--prefix", "--keys-only", said_root(PREFIX))
        wait_for(lambda: not etcd.ctl(*answers).strip(), 40, "no answer stays")


def test_without_rights_it_is_said_once_and_all_goes_on(
    etcd: Etcd, caplog: pytest.LogCaptureFixture
) -> None:
    require_login(etcd, "someone", "readwrite", "/else/")
    host = user(etcd, "h0", [])
    with simulated(host, 1), simulated(replace(host, user="root", password="secret"), 2):
        wait_for(lambda: "nobody can be told" in caplog.text, 20, "it says so")
        etcd.ctl("put", f"{asks_root(PREFIX)}x1", '{"v":1,"kind":"applied"}')
        wait_until(lambda: "h1/proxy" in etcd.ctl("get", "--prefix", f"{PREFIX}/v1/hosts/"), 20)

    assert caplog.text.count("nobody can be told") == 1
