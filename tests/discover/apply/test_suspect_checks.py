"""What HAProxy says of suspects' checks; the answers are those of 2.6.12."""

from discover.apply.suspect_checks import Places, questions, results_of
from discover.snapshot.belongs import Claim
from discover.snapshot.suspects import Suspect
from discover.text.slots import Seats
from tests.parts.records import instance, snapshot

HEAD = (
    "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight "
    "srv_iweight srv_time_since_last_change srv_check_status srv_check_result srv_check_health "
    "srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord "
    "srv_use_ssl srv_check_port srv_check_addr "
    "srv_agent_addr srv_agent_port\n"
)
SUSPECTS = {
    key: Suspect(record, "expired", 0.0)
    for key, record in snapshot(instance(1), instance(2)).records.items()
}
FIRST, SECOND = SUSPECTS


def row(number: int, numbers: str) -> str:
    return f"1 whoami:8000 1 {number:012x}:8000 127.0.0.1 {numbers} 0 0 0 - 1 - 0 0 - - 0\n"


def test_each_listener_is_asked_for_once() -> None:
    assert list(questions(SUSPECTS, {})) == ["show servers state whoami:8000"]


def test_down_and_up() -> None:
    answer = (
        HEAD
        + row(1, "0 0 1 1 2 8 2 0 6")
        + row(2, "2 0 0 0 2 6 3 4 6")
        + row(3, "0 0 1 1 2 8 2 0 6")
    )

    assert results_of(answer, SUSPECTS, {}) == {FIRST: "failing", SECOND: "passing"}


def test_without_a_check_nothing_vouches() -> None:
    assert results_of(HEAD + row(1, "2 0 1 1 2 1 0 2 0"), SUSPECTS, {}) == {FIRST: "unchecked"}


def test_what_proves_nothing() -> None:
    not_yet, once, at_rest = (
        row(1, numbers)
        for numbers in ("2 0 1 1 2 1 0 2 6", "2 0 1 1 2 8 2 3 6", "0 1 1 1 2 8 2 0 6")
    )

    for answer in (
        "",
        "\nCan't find backend.\n",
        "Unknown command\n",
        not_yet,
        HEAD + not_yet,
        HEAD + once,
        HEAD + at_rest,
    ):
        assert results_of(answer, SUSPECTS, {}) == {}


def test_without_a_port_of_its_own_it_is_behind_its_claim_or_its_host_name() -> None:
    auto = {
        key: Suspect(record, "expired", 0.0)
        for key, record in snapshot(instance(1, service_port=None)).records.items()
    }

    assert list(questions(auto, {"whoami": Claim(10007, 5)})) == ["show servers state whoami:10007"]
    assert list(questions(auto, {})) == ["show servers state whoami:0"]
    assert results_of(HEAD + row(1, "2 0 0 0 2 6 3 4 6"), auto, {"whoami": Claim(8000, 5)}) == {
        FIRST: "passing"
    }


def test_what_only_the_door_leads_to_is_asked_for_by_the_name_that_it_has_now() -> None:
    places = Places({("whoami", 8000): "seat-3"})
    answer = HEAD + row(1, "2 0 0 0 2 6 3 4 6").replace("whoami:8000", "seat-3")

    assert list(questions(SUSPECTS, {}, places)) == ["show servers state seat-3"]
    assert results_of(answer, SUSPECTS, {}, places) == {FIRST: "passing"}


def test_it_is_asked_for_by_the_slot_that_it_has() -> None:
    places = Places(seats={"whoami:8000": Seats({"000000000001:8000": "slot-2"})})
    answer = HEAD + row(1, "2 4 0 0 2 6 3 4 6").replace("000000000001:8000", "slot-2")

    assert results_of(answer, SUSPECTS, {}, places) == {FIRST: "passing"}
    assert results_of(answer, SUSPECTS, {}) == {}
