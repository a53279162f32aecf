"""One host's own Docker engine: start, kill and stop it, with its containers or without."""

import contextlib
import json
import re
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab.namespace import Namespace
from lab.process import LabError, Process, run
from lab.wait import wait_for

START_S = 60.0  # 3 to 8 s on a free machine
COMMAND_S = 60.0
WHOAMI = "tandem-whoami"


class Engine:
    """dockerd in a host's namespace, with folders of its own.

    `socket` is for `docker -H unix://...`.
    """

    def __init__(
        self,
        namespace: Namespace,
        folder: Path,
        *,
        bip: str,
        cgroup: str,
    ) -> None:
        self.folder = folder
        self.socket = folder / "docker.sock"
        self.cgroup = cgroup
        self._config = folder / "daemon.json"
        self._exec_root = folder / "exec"
        self._pid_file = folder / "docker.pid"
        self._bip = bip
        command = namespace.command(
            "dockerd",
            f"--config-file={self._config}",
            f"--host=unix://{self.socket}",
            f"--data-root={folder / 'data'}",
            f"--exec-root={self._exec_root}",
            f"--pidfile={self._pid_file}",
            "--exec-opt=native.cgroupdriver=cgroupfs",
        )
        self.process = Process(folder, "dockerd", command, folder)

    def start(self, *, live_restore: bool | None = None) -> None:
        """Start it without waiting.

        `live_restore` is whether containers outlive its next end; None leaves that as it was.
        """
        self.folder.mkdir(exist_ok=True)
        if live_restore is not None or not self._config.exists():
            self._configure(bool(live_restore))

        if not self.process.alive:
            self._forget_pids()
        self.process.start()

    def wait(self, within_s: float = START_S) -> None:
        """Return when it answers."""
        wait_for(self.answers, within_s, f"the engine at {self.socket} answers")

    def answers(self) -> bool:
        """Whether it does, within three seconds."""
        self.docker("version", timeout_s=3)
        return True

    def kill(self) -> None:
        """End it as a crash does. Its containers run until it starts again without live-restore."""
        self.process.kill()

    def stop(self) -> None:
        """End it with SIGTERM, and all its containers unless it has live-restore."""
        self.process.stop()

    def pause(self) -> None:
        """Let it accept connections and never answer."""
        self.process.pause()

    def resume(self) -> None:
        self.process.resume()

    def set_live_restore(self, on: bool) -> None:
        """Change it in the running engine, which reads it again at SIGHUP."""
        settings = json.loads(self._config.read_text())
        if settings["live-restore"] == on:
            return

        self._configure(on)
        self.process.send(signal.SIGHUP)
        wait_for(lambda: self._live_restore() == on, 10, "live-restore")

    def _live_restore(self) -> bool:
        text = self.docker("info", "-f", "{{json .LiveRestoreEnabled}}")
        return bool(json.loads(text))

    def docker(
        self,
        *arguments: str,
        check: bool = True,
        timeout_s: float = COMMAND_S,
    ) -> str:
        """Run the docker command with this engine and return its output. Raises LabError."""
        command = ("docker", "-H", f"unix://{self.socket}", *arguments)
        return run(*command, check=check, timeout_s=timeout_s)

    def load(self, archive: Path) -> None:
        """Load the images of a `docker save` archive, unless they are there."""
        if not self.docker("images", "-q", WHOAMI):
            self.docker("load", "-q", "-i", str(archive))

    def run(
        self,
        image: str,
        *flags: str,
        command: Sequence[str] = (),
        **environment: str,
    ) -> str:
        """Run `docker run -d FLAGS IMAGE COMMAND` and return the container's full id.

        The keywords become its environment.
        """
        variables = [f"--env={name}={text}" for name, text in environment.items()]
        output = self.docker("run", "-d", *variables, *flags, image, *command)
        return output.splitlines()[-1]

    def running(self) -> list[str]:
        """Return the full ids of all containers that run."""
        ids = self.docker("ps", "-q", "--no-trunc")
        return sorted(ids.split())

    def inspect(self, *containers: str) -> list[dict[str, Any]]:
        """Return the `docker inspect` documents of containers."""
        if not containers:
            return []

        text = self.docker("inspect", *containers)
        documents: list[dict[str, Any]] = json.loads(text)
        return documents

    def remove_all(self) -> None:
        """Remove every container."""
        ids = self.docker("ps", "-aq").split()
        if ids:
            self.docker("rm", "-f", "-v", *ids)

    def forget_dead(self) -> None:
        """Remove the files of containers that died with the machine; only while it is off."""
        if self.process.alive:
            raise LabError("the engine still runs")

        unlink_shims(self._exec_root)

    def _forget_pids(self) -> None:
        """Remove the pid files of a killed engine and its containerd, which dies with it.

        An engine waits for a process with that number, even for a zombie, and gives up after a
        minute.
        """
        self._pid_file.unlink(missing_ok=True)
        (self._exec_root / "containerd/containerd.pid").unlink(missing_ok=True)

    def _configure(self, live_restore: bool) -> None:
        settings: dict[str, Any] = {
            "bip": self._bip,
            "cgroup-parent": self.cgroup,
            "live-restore": live_restore,
            "storage-driver": "overlay2",
        }
        # Before 23.0 all engines of a machine share the file with their id, unless it is set here.
        if _version() < 23:
            settings["deprecated-key-path"] = str(self.folder / "key.json")

        self._config.write_text(json.dumps(settings, indent=2))


def unlink_shims(exec_root: Path) -> None:
    """Remove the sockets of an engine's shims, its only files that are outside its folder."""
    for address in exec_root.glob("containerd/daemon/*/moby/*/address"):
        with contextlib.suppress(OSError):
            socket = address.read_text().removeprefix("unix://")
            Path(socket).unlink()


def _version() -> int:
    """Return dockerd's major version."""
    text = run("dockerd", "--version")
    found = re.search(r"version (\d+)", text)
    return int(found[1]) if found else 0
