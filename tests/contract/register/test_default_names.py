"""docker-register on the real engine, for containers to which nobody gave a name."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from catalog.records.record import encode
from tests.parts.engine import Container, Engine, docker
from tests.parts.etcd import Etcd
from tests.parts.register import Catalog, Changes, Register
from tests.parts.served import IMAGE, PORT, SERVE
from tests.parts.wait import wait_for


@contextmanager
def tagged(tag: str) -> Iterator[str]:
    """Give the image another name, with its tag, for a while.

    Without the tag, docker rmi would take a name like the beginning of an id for that id.
    """
    docker("tag", IMAGE, tag)
    try:
        yield tag
    finally:
        docker("rmi", "-f", tag)


def run(engine: Engine, image: str, name: str, *flags: str) -> Container:
    """Run a container that asks to be published, but names nothing."""
    ours = ("--name", engine.name(name), "--label", engine.label, "-l", "SERVICE_TAGS=a")
    served = ("-P", "--expose", PORT, "-e", "DELAY=0", "-e", "LINGER=0")
    id_ = docker("run", "-d", *ours, *served, *flags, image, "perl", "-e", SERVE)
    return Container(id_, engine.name(name))


def code_of(register: Register, container: Container) -> str | None:
    refused = register.explain()["refused"]
    found = [each for where, each in refused.items() if where.startswith(container.name)]
    return found[0]["code"] if found else None


def image_id() -> str:
    return docker("inspect", "-f", "{{.Id}}", IMAGE).removeprefix("sha256:")


def test_a_service_keeps_its_name_when_its_image_loses_it(
    engine: Engine, etcd: Etcd, catalog: Catalog, service: str, tmp_path: Path
) -> None:
    with Register(tmp_path, etcd) as register:
        with tagged(f"registry.example:5000/team/{service}:1") as tag:
            run(engine, tag, service)
            found = wait_for(lambda: catalog.instance(service), 10, "published")
        with Changes(catalog) as changes:
            register.end()
            register.start()
            wait_for(lambda: register.lists() >= 1, 10, "listed again")

            assert catalog.instance(service) == found
            assert changes.of(service, catalog) == []

    assert found is not None
    assert found.origin == f"image team/{service}"
    assert b'"origin"' in encode(found)


def test_no_service_is_named_by_an_id_and_a_name_like_one_is_a_name(
    engine: Engine, etcd: Etcd, catalog: Catalog, service: str, tmp_path: Path
) -> None:
    digits = image_id()[:5]
    with Register(tmp_path, etcd) as register:
        by_id = run(engine, digits, f"{service}-id")
        by_longer_id = run(engine, f"sha256:{image_id()}", f"{service}-sha")
        for each in (by_id, by_longer_id):
            wait_for(lambda each=each: code_of(register, each) == "BAD_NAME", 10, "refused")  # type: ignore[misc]

        assert catalog.instance(digits) is None
        with tagged(f"{digits}:latest"):
            by_name = run(engine, digits, f"{service}-name")
            found = wait_for(lambda: catalog.instance(digits), 10, "published by its name")
            assert found is not None and found.container == by_name.id
            # with that name, the engine cannot tell the two apart any more
            by_id.do("rm", "-f")

            # a newer image takes the name, as after a build
            docker("commit", by_name.id, f"{digits}:latest")
            register.end()
            register.start()
            wait_for(lambda: register.lists() >= 1, 10, "listed again")
            assert catalog.instance(digits) == found


def test_a_container_is_not_named_by_the_compose_service_that_its_image_was_built_for(
    engine: Engine, etcd: Etcd, catalog: Catalog, service: str, tmp_path: Path
) -> None:
    built = f"team/{service}:1"
    blank = docker("create", "--label", engine.label, IMAGE)
    labels = ["LABEL com.docker.compose.project=shop", "LABEL com.docker.compose.service=base"]
    changes = [word for label in labels for word in ("--change", label)]
    docker("commit", *changes, blank, built)
    try:
        with Register(tmp_path, etcd):
            one = run(engine, built, service)
            found = wait_for(lambda: catalog.instance(service), 10, "published")
            # given to the container itself, they count
            run(engine, IMAGE, f"{service}-2", "-l", f"com.docker.compose.service={service}x")
            by_label = wait_for(lambda: catalog.instance(f"{service}x"), 10, "published too")
            one.do("rm", "-f")
    finally:
        docker("rmi", built)

    assert found is not None and found.origin == f"image team/{service}"
    assert by_label is not None


def test_a_one_off_takes_no_calls_of_the_service_that_it_was_started_from(
    engine: Engine, etcd: Etcd, catalog: Catalog, service: str, tmp_path: Path
) -> None:
    of_shop = ["com.docker.compose.project=shop", f"com.docker.compose.service={service}"]
    flags = [word for label in of_shop for word in ("-l", label)]
    one_off = (*flags, "-l", "com.docker.compose.oneoff=True")
    with Register(tmp_path, etcd) as register:
        ran = run(engine, IMAGE, f"{service}-run", *one_off)
        wait_for(lambda: code_of(register, ran) == "ONE_OFF", 10, "refused")
        up = run(engine, IMAGE, f"{service}-1", *flags, "-l", "com.docker.compose.oneoff=False")
        found = wait_for(lambda: catalog.instance(service), 10, "published")

        up.do("rm", "-f")
        run(engine, IMAGE, f"{service}-asked", *one_off, "-e", "SERVICE_IGNORE=false")
        wait_for(lambda: catalog.instance(service) not in (None, found), 10, "asked for, published")

    assert found is not None and found.container == up.id
    assert found.origin == f"compose project shop, service {service}"
