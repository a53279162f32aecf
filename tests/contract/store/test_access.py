"""The store on an etcd that asks who is there: passwords, rights, certificates."""

import dataclasses
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.access import Access, parse_members
from catalog.errors import Unavailable
from catalog.store import Put, Store
from tests.parts.etcd import Etcd, forget_logins, require_login
from tests.parts.store import Reader, wait_until


@pytest.fixture(scope="module")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    """An etcd with passwords; `web` may read and write under /web/."""
    with Etcd(tmp_path_factory.mktemp("etcd")) as running:
        require_login(running, "web", "readwrite", "/web/")
        yield running


def access(etcd: Etcd, user: str | None = "web", password: str | None = "pass") -> Access:
    return dataclasses.replace(etcd.access, user=user, password=password)


@pytest.fixture
def store(etcd: Etcd) -> Iterator[Store]:
    opened = Store(access(etcd))
    yield opened
    opened.close()
    etcd.ctl("del", "", "--prefix")  # tests share one etcd


def put(store: Store, key: str) -> int:
    return store.write([Put(key, b"x", expected=0)], lease=0)


def test_user_does_everything_under_its_prefix(store: Store) -> None:
    lease = store.grant(30)
    revision = store.list("/web/").revision

    with Reader(store.watch("/web/", revision)) as reader:
        store.write([Put("/web/a", b"x", expected=0)], lease=lease)
        assert reader.batch().events[0].key == "/web/a"

    assert store.keep_alive(lease) == 30
    assert store.time_to_live(lease) is not None
    store.revoke(lease)
    assert store.get("/web/a") is None


@pytest.mark.parametrize(
    ("user", "password", "seen"),
    [
        ("web", "wrong", "invalid user ID or password"),
        ("nobody", "pass", "invalid user ID or password"),
        (None, None, "user name is empty"),
    ],
)
def test_stranger_is_refused(etcd: Etcd, user: str | None, password: str | None, seen: str) -> None:
    store = Store(access(etcd, user, password))

    with pytest.raises(Unavailable, match=seen):
        store.list("/web/")
    store.close()


def test_other_prefix_is_refused(store: Store) -> None:
    for refused in (lambda: store.list("/"), lambda: store.get("/a"), lambda: put(store, "/a")):
        with pytest.raises(Unavailable, match="permission denied"):
            refused()


def test_refused_watch_is_said(store: Store) -> None:
    watch = store.watch("/", 0)

    with pytest.raises(Unavailable, match="etcd refused: "):
        next(watch)


def test_forgotten_login_is_made_again(etcd: Etcd, store: Store) -> None:
    lease = store.grant(30)

    forget_logins(etcd)
    assert put(store, "/web/a") > 0

    forget_logins(etcd)
    assert [entry.key for entry in store.list("/web/").entries] == ["/web/a"]

    forget_logins(etcd)
    assert store.keep_alive(lease) == 30

    forget_logins(etcd)
    store.revoke(lease)
    assert store.time_to_live(lease) is None


def test_watch_outlives_its_login(etcd: Etcd, store: Store) -> None:
    writer = Store(access(etcd))
    with Reader(store.watch("/web/", store.list("/web/").revision)) as reader:
        forget_logins(etcd)
        # Past the question after 5 s of silence: being refused is an answer too.
        assert not reader.ends_within(6), reader.error

        put(writer, "/web/a")
        assert reader.batch(within_s=1).events[0].key == "/web/a"
    writer.close()


def test_watch_with_a_forgotten_login_is_refused_then_works(etcd: Etcd, store: Store) -> None:
    revision = put(store, "/web/a")
    forget_logins(etcd)

    with pytest.raises(Unavailable):
        next(store.watch("/web/", revision - 1))

    with Reader(store.watch("/web/", revision - 1)) as reader:
        assert reader.batch().events[0].key == "/web/a"


def test_login_is_made_again_after_etcd_was_killed(etcd: Etcd, store: Store) -> None:
    put(store, "/web/a")

    etcd.kill()
    etcd.start()

    wait_until(lambda: store.get("/web/a") is not None)
    wait_until(lambda: put(store, "/web/b") > 0)


def test_user_for_an_etcd_without_passwords(tmp_path: Path) -> None:
    with Etcd(tmp_path) as open_to_all:
        store = Store(access(open_to_all))

        assert put(store, "/a") == 2
        store.close()


# Certificates


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority `ca`, its `server` and `client`, and a `stranger` that signed
    itself.
    """
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("ca", "stranger"):
        openssl(
            folder,
            "req",
            "-x509",
            *new_key(name),
            "-subj",
            f"/CN={name}",
            "-days",
            "2",
            "-out",
            f"{name}.crt",
        )
    for name in ("server", "client"):
        openssl(folder, "req", *new_key(name), "-subj", f"/CN={name}", "-out", f"{name}.csr")
        (folder / f"{name}.ext").write_text("subjectAltName=IP:127.0.0.1\n")
        signing = (
            "-CA",
            "ca.crt",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-extfile",
            f"{name}.ext",
            "-days",
            "2",
        )
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", *signing, "-out", f"{name}.crt")
    return folder


def new_key(name: str) -> tuple[str, ...]:
    return (
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-keyout",
        f"{name}.key",
    )


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=30)


@pytest.fixture(scope="module")
def etcd_tls(certificates: Path) -> Iterator[Etcd]:
    """An etcd that shows a certificate and asks for one."""
    files = {
        name: str(certificates / name)
        for name in ("ca.crt", "server.crt", "server.key", "client.crt", "client.key")
    }
    server = (
        "--cert-file",
        files["server.crt"],
        "--key-file",
        files["server.key"],
        "--client-cert-auth",
    )
    client = (
        "--cacert",
        files["ca.crt"],
        "--cert",
        files["client.crt"],
        "--key",
        files["client.key"],
    )
    flags = (*server, "--trusted-ca-file", files["ca.crt"])
    with Etcd(certificates, scheme="https", flags=flags, ctl_flags=client) as running:
        yield running


def test_certificates_of_both_sides(etcd_tls: Etcd, certificates: Path) -> None:
    store = Store(
        Access(
            parse_members(etcd_tls.endpoint),
            ca_cert=certificates / "ca.crt",
            cert=certificates / "client.crt",
            key=certificates / "client.key",
        )
    )

    with Reader(store.watch("/", store.list("/").revision)) as reader:
        put(store, "/a")
        assert reader.batch().events[0].key == "/a"
    store.close()


@pytest.mark.parametrize(
    ("address", "files"),
    [
        ("{}", {}),
        ("https://{}", {}),
        ("{}", {"ca_cert": "ca.crt"}),
        ("{}", {"cert": "client.crt", "key": "client.key"}),
        ("{}", {"ca_cert": "stranger.crt", "cert": "client.crt", "key": "client.key"}),
        ("{}", {"ca_cert": "ca.crt", "cert": "stranger.crt", "key": "stranger.key"}),
        ("{}", {"ca_cert": "absent.crt"}),
        ("{}", {"ca_cert": "client.key"}),
    ],
    ids=[
        "plain text",
        "TLS without files",
        "no client certificate",
        "no authority, so grpc's own",
        "authority of somebody else",
        "certificate of somebody else",
        "no such file",
        "not a certificate",
    ],
)
def test_wrong_certificates_are_unavailable(
    etcd_tls: Etcd, certificates: Path, address: str, files: dict[str, str]
) -> None:
    paths = {name: certificates / file for name, file in files.items()}
    store = Store(Access(parse_members(address.format(etcd_tls.endpoint)), **paths))  # type: ignore[arg-type]

    with pytest.raises(Unavailable):
        store.list("/")
    store.close()


@pytest.mark.parametrize("address", ["https://{}", "{}"])
def test_wish_for_tls_never_ends_in_plain_text(
    tmp_path: Path, certificates: Path, address: str
) -> None:
    with Etcd(tmp_path) as plain:
        files = (
            {}
            if "https" in address
            else {"cert": certificates / "client.crt", "key": certificates / "client.key"}
        )
        store = Store(Access(parse_members(address.format(plain.endpoint)), **files))  # type: ignore[arg-type]

        with pytest.raises(Unavailable):
            store.list("/")
        store.close()
