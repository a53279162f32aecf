"""A container that starts is inspected before any list."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from register.docker.hints import DockerEvent, Hints
from register.docker.source import ContainerList, DockerSource
from tests.parts.scripted_engine import Answers, answers_of, inspected, scripted_engine

NEW = f"{2:064x}"
START = Hints().after(DockerEvent(NEW, "start", "", 1))


@contextmanager
def source_of(answers: Answers) -> Iterator[DockerSource]:
    with scripted_engine(answers) as docker_host:
        source = DockerSource(docker_host, {})
        yield source
        source.close()


def names(seen: ContainerList | None) -> list[str]:
    assert seen is not None
    return [container.name for container in seen.containers]


def starts(answers: Answers, document: dict[str, object]) -> None:
    """Let the engine know a container, which its list does not show yet."""
    answers[f"/containers/{NEW}/json"] = (200, json.dumps(document).encode())


def test_what_started_joins_the_last_list() -> None:
    answers = answers_of(1)
    with source_of(answers) as source:
        source.containers(Hints(), everything=False)
        starts(answers, inspected(2))

        assert names(source.with_started([NEW], START)) == ["scripted-1", "scripted-2"]


def test_the_next_list_decides() -> None:
    answers = answers_of(1)
    with source_of(answers) as source:
        source.containers(Hints(), everything=False)
        starts(answers, inspected(2))
        source.with_started([NEW], START)

        assert names(source.containers(START, everything=False)) == ["scripted-1"]
        answers.update(answers_of(2))
        starts(answers, {**inspected(2), "Name": "/renamed"})
        assert names(source.containers(START, everything=False)) == ["renamed", "scripted-1"]


def test_what_was_first_seen_by_an_inspect_was_seen_then() -> None:
    answers = answers_of(1)
    with source_of(answers) as source:
        source.containers(Hints(), everything=False)
        starts(answers, inspected(2))
        early = source.with_started([NEW], START)
        answers.update(answers_of(2))
        listed = source.containers(START, everything=False)

    assert early is not None
    assert early.containers[1].seen_s == listed.containers[1].seen_s
    assert not early.containers[1].was_there


def test_before_the_first_list_only_a_list_can_tell() -> None:
    with source_of(answers_of(2)) as source:
        assert source.with_started([NEW], START) is None


@pytest.mark.parametrize(
    "document",
    [
        {**inspected(2), "State": {"Running": False, "Status": "exited"}},
        {**inspected(2), "State": "odd"},
    ],
    ids=["ended", "odd"],
)
def test_what_an_inspect_leaves_open_is_for_a_list(document: dict[str, object]) -> None:
    answers = answers_of(1)
    with source_of(answers) as source:
        source.containers(Hints(), everything=False)
        starts(answers, document)

        assert source.with_started([NEW], START) is None


def test_an_images_id_is_no_name_before_a_list_either() -> None:
    answers = answers_of(1)
    with source_of(answers) as source:
        source.containers(Hints(), everything=False)
        starts(answers, {**inspected(2), "Config": {"Image": "cafe"}, "Image": "sha256:cafe0123"})
        seen = source.with_started([NEW], START)

    assert seen is not None
    assert [container.image_is_id for container in seen.containers] == [False, True]


def test_what_is_gone_or_ends_is_for_a_list() -> None:
    answers = answers_of(1)
    with source_of(answers) as source:
        source.containers(Hints(), everything=False)
        assert source.with_started([NEW], START) is None

        starts(answers, inspected(2))
        ended = START.after(DockerEvent(NEW, "die", "", 2))
        assert source.with_started([NEW], ended) is None
        assert names(source.containers(ended, everything=False)) == ["scripted-1"]
