"""What other threads ask of the lease keeper."""

from register.host.requests import Requests


def test_a_command_is_forgotten_once_it_is_answered() -> None:
    requests = Requests()
    requests.ask("drain")

    requests.answered("drain")

    assert requests.command is None


def test_a_command_that_came_meanwhile_stays() -> None:
    requests = Requests()
    requests.ask("drain")
    requests.ask("undrain")

    requests.answered("drain")

    assert requests.command == "undrain"


def test_a_change_that_an_event_told_is_not_undone_by_a_mere_doubt() -> None:
    requests = Requests()
    requests.recheck(changed=True)
    requests.recheck(changed=False)

    assert requests.owner_changed
