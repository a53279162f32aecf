"""What a restored backup says: nothing old takes an address from who is known there."""

from discover.snapshot.state import REWOUND_S
from discover.snapshot.suspects import RETURN_S
from tests.parts.catalogs import key
from tests.parts.records import instance
from tests.parts.suspects import Lab


class Restored(Lab):
    """yyy has the address that xxx has in the backup, which is what etcd is restored from."""

    XXX, YYY = (
        instance(n, name, address="10.0.0.1", port=4711) for n, name in ((61, "xxx"), (62, "yyy"))
    )

    def __init__(self) -> None:
        super().__init__()
        self.etcd.put("h1", self.XXX).put("h2", instance(7, weight=1))
        backup = dict(self.etcd.entries), self.etcd.revision
        self.look()
        self.etcd.delete("h1", self.XXX).put("h1", self.YYY).put("h2", instance(7, weight=2))
        self.look()
        assert self.services == ["whoami", "yyy"]
        self.etcd.entries, self.etcd.revision = backup
        self.look("relist")

    @property
    def services(self) -> list[str]:
        return sorted(self.state.view.services)

    @property
    def weights(self) -> list[int]:
        return [
            r.instance.weight
            for r in self.state.view.records.values()
            if r.key.container == f"{7:012x}"
        ]


def test_an_old_record_of_a_restored_backup_takes_no_address_from_who_is_known_there() -> None:
    lab = Restored()
    assert (lab.services, lab.weights) == (["whoami", "yyy"], [2])

    lab.etcd.claim("h1")
    assert lab.look().services == ["whoami", "yyy"]

    lab.etcd.delete("h1", lab.XXX).put("h1", lab.YYY).put("h2", instance(7, weight=3))
    lab.look()
    assert (lab.services, lab.weights, lab.state.suspects) == (["whoami", "yyy"], [3], {})


def test_an_old_record_whose_lease_ends_never_was_one() -> None:
    lab = Restored()
    lab.etcd.delete("h1", lab.XXX)
    lab.etcd.expire("h1")

    assert lab.look().services == ["whoami", "yyy"]


def test_a_restored_record_counts_once_it_is_written_again() -> None:
    lab = Restored()
    lab.etcd.put("h1", lab.XXX)

    assert lab.look().services == ["whoami", "xxx"]


def test_restored_records_that_nobody_puts_right_count_after_a_while() -> None:
    lab = Restored()
    assert lab.checked(after_s=REWOUND_S - 1).services == ["whoami", "yyy"]

    lab.checked(after_s=2)
    assert (lab.services, lab.weights, lab.state.view) == (["whoami", "xxx"], [1], lab.state.stored)
    assert lab.state.dropped[key("h1", lab.YYY)] == "another record has its address"


def test_a_restored_owner_key_is_no_host_that_is_back() -> None:
    assert Restored().checked(after_s=RETURN_S + 1).services == ["whoami", "yyy"]


def test_what_is_new_in_another_cluster_waits_only_if_it_was_there_at_the_first_look() -> None:
    lab = Lab()
    lab.etcd.replace().claim("h1").put("h1", lab.records["h1"], instance(41, "early", port=1))
    lab.look("relist")
    lab.etcd.put("h1", instance(42, "late", port=2))

    assert sorted(lab.look().state.view.services) == ["late", "whoami"]
    assert sorted(lab.checked(after_s=REWOUND_S).state.view.services) == ["early", "late", "whoami"]
