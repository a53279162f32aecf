"""A real etcd on free loopback ports, and what can happen to it: stop, kill, pause, wipe. For the
tests of any folder.

with Etcd(tmp_path) as etcd:
    etcd.ctl("put", "/a", "1")
"""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from catalog.access import Access, parse_members
from tests.parts.ports import free_ports
from tests.parts.store import wait_until
from tests.parts.wait import wait_for

START_S = 20.0  # one member takes under 1 s; the machine may be full of other tests
ROOT_LOGIN = ("--user=root:secret",)  # for etcdctl, once require_login() was called


class Etcd:
    """One member.

    `flags` go to etcd as they are; `ctl_flags` to each etcdctl (certificates, a user).
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str = "default",
        scheme: str = "http",
        flags: Sequence[str] = (),
        ctl_flags: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.scheme = scheme
        self.port, self.peer_port = free_ports(2)
        self.flags = tuple(flags)
        self.ctl_flags = tuple(ctl_flags)
        self.cluster: Sequence[Etcd] = (self,)
        self.folder = folder / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self._process: subprocess.Popen[bytes] | None = None
        self._paused = False

    @property
    def endpoint(self) -> str:
        """`host:port`, as ETCD_HOST wants it."""
        return f"127.0.0.1:{self.port}"

    @property
    def access(self) -> Access:
        """How to reach it without credentials."""
        return Access(parse_members(self.endpoint))

    @property
    def peer_url(self) -> str:
        return f"http://127.0.0.1:{self.peer_port}"

    def __enter__(self) -> "Etcd":
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it and delete its data, as each member takes 123 MB of disk, however little it
        holds.
        """
        self.kill()
        shutil.rmtree(self.folder / "etcd", ignore_errors=True)

    def start(self, *, wait: bool = True) -> None:
        """Start it on its data of before, if any; return when it answers."""
        self.launch()
        if wait:
            self.wait_until_it_answers()

    def launch(self) -> None:
        url = f"{self.scheme}://{self.endpoint}"
        members = ",".join(f"{member.name}={member.peer_url}" for member in self.cluster)
        arguments = [
            *("--name", self.name, "--data-dir", str(self.folder / "etcd")),
            *("--listen-client-urls", url, "--advertise-client-urls", url),
            *("--listen-peer-urls", self.peer_url, "--initial-advertise-peer-urls", self.peer_url),
            *("--initial-cluster", members),
            *self.flags,
        ]
        with (self.folder / "etcd.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["etcd", *arguments], stdout=log, stderr=log, env=_environment()
            )
        self._paused = False

    def wait_until_it_answers(self) -> None:
        wait_for(lambda: not self._runs() or self._answers(), START_S, "etcd answers")
        assert self._runs(), f"etcd ended: {self.log()[-2000:]}"

    def _answers(self) -> bool:
        probe = self._ctl("get", "health", "--command-timeout=2s")
        # With authentication on, being refused is an answer.
        refused = "permission denied" in probe.stderr or "user name is empty" in probe.stderr
        assert refused or probe.returncode == 0, f"{probe.stderr}\n{self.log()[-2000:]}"
        return True

    def _runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """End it the polite way."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut does."""
        self._end(signal.SIGKILL)

    def wipe(self) -> None:
        """Forget everything; to be called between kill and start."""
        assert self._process is None, "still running"
        shutil.rmtree(self.folder / "etcd")

    def _states(self) -> set[str]:
        """The states of its threads: T is stopped (proc(5))."""
        assert self._process is not None
        stats = Path(f"/proc/{self._process.pid}/task").glob("*/stat")
        return {stat.read_text().rpartition(")")[2].split()[0] for stat in stats}

    def pause(self) -> None:
        """Let it be silent with all its connections open."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        # The kernel stops its threads one by one; the last may still answer.
        wait_until(lambda: self._states() == {"T"})
        self._paused = True

    def resume(self) -> None:
        if self._process is not None and self._paused:
            self._process.send_signal(signal.SIGCONT)
        self._paused = False

    def ctl(self, *arguments: str) -> str:
        """Run etcdctl and return what it prints."""
        done = self._ctl(*arguments)
        assert done.returncode == 0, f"etcdctl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def revision(self) -> int:
        """The store's revision, which every write moves."""
        text = self.ctl("get", "health", "--write-out=fields")
        line = next(line for line in text.splitlines() if line.startswith('"Revision"'))
        return int(line.partition(":")[2])

    def is_leader(self) -> bool:
        row = self.ctl("endpoint", "status").split(
            ", "
        )  # endpoint, id, version, size, is leader, ...
        return row[4] == "true"

    def log(self) -> str:
        return (self.folder / "etcd.log").read_text(errors="replace")

    def _ctl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [
            "etcdctl",
            f"--endpoints={self.scheme}://{self.endpoint}",
            *self.ctl_flags,
            *arguments,
        ]
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=START_S,
            check=False,
            env=_environment(),
        )

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self.resume()
        self._process.send_signal(number)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._process = None


@contextlib.contextmanager
def etcd_cluster(folder: Path, *, size: int = 3) -> Iterator[list[Etcd]]:
    """Run several members as one cluster."""
    members = [Etcd(folder, name=f"m{number}") for number in range(size)]
    for member in members:
        member.cluster = members
    with contextlib.ExitStack() as stack:
        for member in members:
            stack.callback(member.close)
            member.launch()
        for member in members:
            member.wait_until_it_answers()
        yield members


def require_login(etcd: Etcd, user: str, right: str, prefix: str) -> None:
    """Let etcd ask who is there: root, and this user, whose password is `pass`, with one right
    below a prefix.
    """
    etcd.ctl("user", "add", "root:secret")
    etcd.ctl("user", "grant-role", "root", "root")

    etcd.ctl("user", "add", f"{user}:pass")
    etcd.ctl("role", "add", user)
    etcd.ctl("role", "grant-permission", user, right, prefix, "--prefix")
    etcd.ctl("user", "grant-role", user, user)

    etcd.ctl("auth", "enable")
    etcd.ctl_flags = ROOT_LOGIN


def forget_logins(etcd: Etcd) -> None:
    """Make etcd forget every login, as after 300 s without a call."""
    etcd.ctl("auth", "disable")
    etcd.ctl_flags = ()
    etcd.ctl("auth", "enable")
    etcd.ctl_flags = ROOT_LOGIN


def _environment() -> dict[str, str]:
    """The environment without settings of etcd that may stand in the caller's."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ETCD_", "ETCDCTL_"))
    }
    return kept | {"ETCDCTL_API": "3"}
