"""One host's own Docker engine, and what can happen to it: killed, stopped, restarted with its containers or not."""

import contextlib
import json
import re
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
    """dockerd in a host's namespace, with folders of its own. `socket` is for `docker -H unix://...`."""

    def __init__(self, namespace: Namespace, folder: Path, *, bip: str, cgroup: str) -> None:
        self.folder = folder
        self.socket = folder / "docker.sock"
        self.cgroup = cgroup
        self._config = folder / "daemon.json"
        self._bip = bip
        command = namespace.command(
            *("dockerd", "--config-file", str(self._config), "--host", f"unix://{self.socket}"),
            *("--data-root", str(folder / "data"), "--exec-root", str(folder / "exec")),
            *(
                "--pidfile",
                str(folder / "docker.pid"),
                "--exec-opt",
                "native.cgroupdriver=cgroupfs",
            ),
        )
        self.process = Process(folder, "dockerd", command, folder)

    def start(self, *, live_restore: bool | None = None) -> None:
        """Start it and do not wait; `live_restore`: whether containers outlive its next end. None: as it was."""
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
        """End it as a crash does. Its containers go on, until it starts again without live-restore."""
        self.process.kill()

    def stop(self) -> None:
        """End it the polite way: with all its containers, unless it has live-restore."""
        self.process.stop()

    def pause(self) -> None:
        """Let it accept and never answer."""
        self.process.pause()

    def resume(self) -> None:
        self.process.resume()

    def set_live_restore(self, on: bool) -> None:
        """Change it in the running engine, which takes it over at SIGHUP."""
        if json.loads(self._config.read_text())["live-restore"] == on:
            return
        self._configure(on)
        self.process.send(1)
        wait_for(
            lambda: json.loads(self.docker("info", "-f", "{{json .LiveRestoreEnabled}}")) == on,
            10,
            "live-restore",
        )

    def docker(self, *arguments: str, check: bool = True, timeout_s: float = COMMAND_S) -> str:
        """Run the docker command with this engine and return what it printed. Raises LabError."""
        return run(
            "docker", "-H", f"unix://{self.socket}", *arguments, check=check, timeout_s=timeout_s
        )

    def load(self, archive: Path) -> None:
        """Have the images of a `docker save` archive, unless it has."""
        if not self.docker("images", "-q", WHOAMI):
            self.docker("load", "-q", "-i", str(archive))

    def run(self, image: str, *flags: str, command: Sequence[str] = (), **environment: str) -> str:
        """`docker run -d FLAGS IMAGE COMMAND`; the keywords become its environment. Returns its full id."""
        variables = [
            word for name, text in environment.items() for word in ("-e", f"{name}={text}")
        ]
        return self.docker("run", "-d", *variables, *flags, image, *command).splitlines()[-1]

    def running(self) -> list[str]:
        """Return the full ids of all containers that run."""
        return sorted(self.docker("ps", "-q", "--no-trunc").split())

    def inspect(self, *containers: str) -> list[dict[str, Any]]:
        """Return what it knows about containers."""
        if not containers:
            return []
        found: list[dict[str, Any]] = json.loads(self.docker("inspect", *containers))
        return found

    def remove_all(self) -> None:
        """Remove every container."""
        if ids := self.docker("ps", "-aq").split():
            self.docker("rm", "-f", "-v", *ids)

    def forget_dead(self) -> None:
        """Remove the files of containers whose processes were killed with the machine; only while it does not run."""
        if self.process.alive:
            raise LabError("the engine still runs")
        for address in (self.folder / "exec").glob("containerd/daemon/*/moby/*/address"):
            # The shim's socket is the one thing that is not in our folder.
            with contextlib.suppress(OSError):
                Path(address.read_text().removeprefix("unix://")).unlink()

    def _forget_pids(self) -> None:
        """Remove the pid files of a killed engine and its containerd, which dies with it.

        An engine that finds a process of that number, be it a zombie, waits for it and gives up after a minute.
        """
        for file in (self.folder / "docker.pid", self.folder / "exec/containerd/containerd.pid"):
            file.unlink(missing_ok=True)

    def _configure(self, live_restore: bool) -> None:
        settings: dict[str, Any] = {
            "bip": self._bip,
            "cgroup-parent": self.cgroup,
            "live-restore": live_restore,
            "storage-driver": "overlay2",
        }
        # Before 23.0 the engine's id is in a file that all engines of a machine share unless told otherwise.
        if _version() < 23:
            settings["deprecated-key-path"] = str(self.folder / "key.json")
        self._config.write_text(json.dumps(settings, indent=2))


def _version() -> int:
    """Return dockerd's major version."""
    text = run("dockerd", "--version")
    found = re.search(r"version (\d+)", text)
    return int(found[1]) if found else 0
