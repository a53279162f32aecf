"""The names that TAB offers: whose file it is, and that none of them can harm a shell."""

import os
import stat
from pathlib import Path

import pytest

from catalog.access import Access
from ctl.completion.cache import harmless, note_try, offered, path_of, read, write
from ctl.contexts import Context
from ctl.settings import Reach, reach_of

NOWHERE = reach_of({"ETCD_HOST": "127.0.0.1:1"}, {})


def test_names_are_kept_for_the_user_alone(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}
    path = path_of(environ, NOWHERE)
    note_try(path)
    write(path, {"services": ["orders", "b"]})

    assert read(path)["services"] == ("b", "orders")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert offered(NOWHERE, Context("", {}), {}, environ)["services"] == ("b", "orders")


def test_what_another_put_there_is_not_written_through(tmp_path: Path) -> None:
    path, other = tmp_path / "names.json", tmp_path / "other"
    other.write_text("kept")
    path.with_suffix(f".{os.getpid()}").symlink_to(other)
    with pytest.raises(FileExistsError):
        write(path, {"services": ["a"]})
    assert other.read_text() == "kept"


def test_each_etcd_and_prefix_has_its_own(tmp_path: Path) -> None:
    environ = {"XDG_CACHE_HOME": str(tmp_path)}
    reaches = [reach_of(it, {}) for it in ({}, {"ETCD_HOST": "b"}, {"ETCD_PREFIX": "/b"})]
    reaches.append(Reach(Access(reaches[0].access.members, user="u", password="p"), "/services"))
    assert len({path_of(environ, it) for it in reaches}) == 4


@pytest.mark.parametrize("name", ["a b", "$(id)", "`id`", "a;b", "*", "-x", "a\nb", "", "é", 3])
def test_a_name_that_means_more_to_a_shell_is_left_out(name: object) -> None:
    assert harmless([name, "ok-1.a_B"]) == ("ok-1.a_B",)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"services": 3}', "[" * 100_000])
def test_a_broken_file_has_no_names(tmp_path: Path, content: str) -> None:
    path = tmp_path / "names.json"
    path.write_text(content)
    assert not any(read(path).values())


def test_what_cannot_be_kept_is_not_offered_and_no_error(tmp_path: Path) -> None:
    (tmp_path / "tandem").write_text("a file where the folder should be")
    environ = {"XDG_CACHE_HOME": str(tmp_path)}
    assert offered(NOWHERE, Context("", {}), {}, environ) == {}
