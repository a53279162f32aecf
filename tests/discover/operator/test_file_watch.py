"""FileWatch: what wakes it."""

import os
import threading
from pathlib import Path

import pytest

from discover.operator import file_watch
from discover.operator.file_watch import FileWatch
from tests.parts.wait import wait_for


def test_a_file_is_seen_whose_folder_comes_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_watch, "POLL_S", 0.05)
    fired: list[str] = []
    watch = FileWatch((folder := tmp_path / "later") / "services.yaml", "services", fired.append)
    thread = threading.Thread(target=watch.run)
    thread.start()
    try:
        wait_for(lambda: fired == ["services"], 10, "it watches")
        folder.mkdir()
        wait_for(lambda: len(fired) > 1, 10, "the folder is seen")
        seen = len(fired)
        (folder / "services.yaml").write_text("services: {}")
        wait_for(lambda: len(fired) > seen, 10, "the file is seen")
    finally:
        watch.interrupt()
        thread.join(10)


def test_a_file_that_was_replaced_under_its_mount_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (path := tmp_path / "services.yaml").touch()
    descriptor = os.open(path, os.O_RDONLY)
    # A way to the file that outlives its name, as a mount of the file alone does (proc_pid_fd(5)).
    fired: list[str] = []
    watch = FileWatch(Path(f"/proc/self/fd/{descriptor}"), "services file", fired.append)
    thread = threading.Thread(target=watch.run)
    thread.start()
    try:
        wait_for(lambda: fired, 10, "it watches")
        (fresh := tmp_path / "fresh").touch()
        fresh.replace(path)
        wait_for(lambda: "mount its folder" in caplog.text, 10, "it is said")
        (tmp_path / "another").touch()
    finally:
        watch.interrupt()
        thread.join(10)
        os.close(descriptor)

    assert caplog.text.count("mount its folder") == 1
