"""run_group: the first actor to end ends all, each is joined, and the first error is raised."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from sidecar.actors import Actor, run_group


class Waiting:
    """An actor that runs until it is interrupted."""

    def __init__(self, name: str = "waiting") -> None:
        self.name = name
        self.interrupted = threading.Event()
        self.ended = threading.Event()

    def actor(self) -> Actor:
        return Actor(self.name, self.run, self.interrupted.set)

    def run(self) -> None:
        self.interrupted.wait(10)
        self.ended.set()


def failing() -> Actor:
    def run() -> None:
        raise LookupError("broken")

    return Actor("failing", run, lambda: None)


def test_an_error_stops_the_others_and_is_raised() -> None:
    others = [Waiting("one"), Waiting("two")]

    with pytest.raises(LookupError, match="broken"):
        run_group([others[0].actor(), failing(), others[1].actor()])

    assert all(other.ended.is_set() for other in others)


def test_an_actor_that_just_ends_is_an_error_too() -> None:
    other = Waiting()

    with pytest.raises(RuntimeError, match="short ended unexpectedly"):
        run_group([other.actor(), Actor("short", lambda: None, lambda: None)])

    assert other.ended.is_set()


def test_a_signal_stops_all_and_is_no_error() -> None:
    other = Waiting()

    def send() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        other.ended.wait(10)

    run_group([other.actor(), Actor("sender", send, lambda: None)])

    assert other.ended.is_set()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_that_another_thread_takes_is_heard(number: int) -> None:
    # The main thread blocks it, so that the kernel can only give it to the actor; elsewhere that is
    # a matter of luck.
    program = f"""
import os, signal, sys, threading, time
from sidecar.actors import Actor, run_group

done = threading.Event()

def main_thread_waits():  # nothing tells that it does but looking, again and again
    looks = []
    for _ in range(50):
        looks.append(sys._current_frames()[threading.main_thread().ident].f_code.co_name)
        time.sleep(0.002)
    return set(looks) == {{"wait"}}

def take():
    while not main_thread_waits():
        pass
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [{number:d}])
    os.kill(os.getpid(), {number:d})
    done.wait(60)

signal.pthread_sigmask(signal.SIG_BLOCK, [{number:d}])
end = lambda: os.kill(os.getpid(), signal.SIGTERM)
run_group([Actor("taking", take, done.set)], on_signal={{signal.SIGUSR1: end}})
"""

    assert subprocess.run([sys.executable, "-c", program], timeout=20, check=False).returncode == 0


def test_one_that_does_not_stop_is_named_and_left(caplog: pytest.LogCaptureFixture) -> None:
    release = threading.Event()

    def run() -> None:
        release.wait(10)

    stubborn = Actor("stubborn", run, lambda: None)

    with pytest.raises(LookupError):
        run_group([stubborn, failing()], join_s=0.2)
    release.set()

    assert "did not stop in time name=stubborn" in caplog.text


def test_a_second_signal_ends_the_process_at_once() -> None:
    program = """
import os, signal, threading
from sidecar.actors import Actor, run_group
asked = threading.Event()
def run():
    os.kill(os.getpid(), signal.SIGTERM)
    asked.wait(30)
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(30)
run_group([Actor("stubborn", run, asked.set)], join_s=30)
"""
    assert (
        subprocess.run([sys.executable, "-c", program], timeout=20, check=False).returncode
        == 128 + signal.SIGTERM
    )
