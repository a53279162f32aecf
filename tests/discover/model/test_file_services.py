"""What the services file of a host sets up has its port and names there, whoever holds them."""

from dataclasses import replace

from catalog.entries import Listing
from catalog.keys import HoldKey
from catalog.records.hold import Hold
from discover.model.build import build
from discover.model.http_routes import door_map
from discover.model.ownership import OLDEST, Listening
from discover.snapshot.belongs import Held
from discover.snapshot.snapshot import Snapshot, snapshot_of
from tests.parts.catalogs import SINCE
from tests.parts.configs import AT_DOOR
from tests.parts.records import PREFIX, entry, web


def both() -> Snapshot:
    """One service of the fleet, which holds what the file of this host also sets up."""
    legacy = entry(web(1, "legacy", hosts=("a.test",)), created=OLDEST)
    fleet = entry(web(2, "fleet", hosts=("a.test",)), created=5)
    held = Held(Hold("fleet", SINCE), created=6, leased=False)
    holds = {HoldKey("port", "8000"): held, HoldKey("host", "a.test/"): held}
    return replace(snapshot_of(PREFIX, Listing(1, 100, (legacy, fleet))), holds=holds)


def test_the_file_has_its_port_and_names_also_after_a_restart_of_everything() -> None:
    config, problems = build(both(), AT_DOOR)

    assert [it.service for it in config.listeners if it.binds] == ["legacy"]
    assert door_map(config)["a.test/"] == "legacy:8000"
    assert {it.code for it in problems.values()} == {"PORT_CLAIMED", "HOST_CLAIMED"}
    assert "belongs to legacy, of the services file" in problems["fleet at a.test/"].text
    assert any("8000 belongs to legacy, which" in it.text for it in problems.values())


def test_an_entry_that_comes_later_takes_no_port_that_is_in_use_here() -> None:
    config, _ = build(both(), AT_DOOR, listening=Listening({8000: "fleet"}))

    assert [it.service for it in config.listeners if it.binds] == ["fleet"]
