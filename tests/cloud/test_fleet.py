from datetime import datetime, timedelta
from typing import Literal

from folkmoot.hop.roster import Entry
from folkmoot.wire.messages import Device, Hello
from folkmoot_cloud.clock import now
from folkmoot_cloud.gateways import service
from folkmoot_cloud.tables import Device as DeviceRow
from folkmoot_cloud.tables import Gateway as GatewayRow
from folkmoot_cloud.tenants.service import MAIN
from tests.kit.cloud import Cloud


async def test_a_gateway_is_known_from_its_first_hello(cloud: Cloud) -> None:
    await cloud.meet("g1", "d1", "d2")
    shown = await cloud.json("/v1/gateways/g1")
    assert (shown["id"], shown["state"], shown["ready"], shown["why_not"]) == ("g1", "up", True, "")
    assert (shown["software"], shown["runtime"], shown["memory"]) == ("folkmoot 1", "cpython", 1 << 30)
    assert shown["features"] == ["inline"]
    assert shown["devices"] == {"up": 2}
    device = await cloud.json("/v1/devices/d1")
    assert (device["gateway"], device["state"], device["examples"], device["data"]) == ("g1", "up", 40, "toy")
    assert (device["software"], device["runtime"], device["memory"]) == ("folkmoot 1", "tflite 2.14", 1 << 29)


async def test_a_gateway_that_said_nothing_of_itself_yet_is_not_ready(cloud: Cloud) -> None:
    async with cloud.database.write() as session:
        await service.told(session, MAIN, "g1", Entry(state="up", birth=1, software="folkmoot 1"), now())
    shown = await cloud.json("/v1/gateways/g1")
    assert (shown["ready"], shown["why_not"], shown["devices"]) == (False, "its hello has not come yet", {})


async def test_going_and_coming_back_changes_the_state_alone(cloud: Cloud) -> None:
    await cloud.meet("g1", "d1")
    before = await cloud.json("/v1/gateways/g1")
    await cloud.meet("g1", "d1", state="away")
    away = await cloud.json("/v1/gateways/g1")
    assert away["state"] == "away"
    assert away["first_seen"] == before["first_seen"]
    assert away["last_seen"] >= before["last_seen"]
    assert [one["id"] for one in (await cloud.json("/v1/gateways", state="away"))["items"]] == ["g1"]
    assert (await cloud.json("/v1/gateways", state="up"))["items"] == []


async def test_a_device_that_is_listed_no_more_is_gone_and_one_that_moved_is_where_it_is_now(cloud: Cloud) -> None:
    await cloud.meet("g1", "d1", "d2", "d3")
    await cloud.meet("g2", "d2")
    await cloud.meet("g1", "d1")
    homes = {one["id"]: (one["gateway"], one["state"]) for one in (await cloud.json("/v1/devices"))["items"]}
    assert homes == {"d1": ("g1", "up"), "d2": ("g2", "up"), "d3": ("g1", "gone")}
    assert (await cloud.json("/v1/gateways/g1"))["devices"] == {"up": 1, "gone": 1}
    assert [one["id"] for one in (await cloud.json("/v1/devices", gateway="g1", state="gone"))["items"]] == ["d3"]


async def test_a_device_that_is_away_was_seen_when_it_was_there(cloud: Cloud) -> None:
    await cloud.meet("g1", "d1")
    seen = (await cloud.json("/v1/devices/d1"))["last_seen"]
    hello = Hello(devices=(Device("d1", "away", 40),))
    async with cloud.database.write() as session:
        await service.told(session, MAIN, "g1", Entry(state="up", birth=1, hello=hello), now())
    shown = await cloud.json("/v1/devices/d1")
    assert (shown["state"], shown["last_seen"]) == ("away", seen)


async def test_text_that_a_peer_made_up_is_kept_whatever_it_holds(cloud: Cloud) -> None:
    odd = "a\0b\n\ud7ff\U0001f600'\";--"
    hello = Hello(software=odd, why_not=odd, features=(odd,), devices=(Device("d1", "up", 1, odd, odd, 0, odd),))
    async with cloud.database.write() as session:
        await service.told(session, MAIN, "g1", Entry(state="up", birth=1, hello=hello), now())
    kept = odd.replace("\0", "\ufffd")
    assert (await cloud.json("/v1/gateways/g1"))["software"] == kept
    assert (await cloud.json("/v1/devices/d1"))["runtime"] == kept


async def test_a_gateway_with_thousands_of_devices_is_taken_in_one_go(cloud: Cloud) -> None:
    await cloud.meet("g1", *(f"d{number}" for number in range(3000)))
    assert (await cloud.json("/v1/gateways/g1"))["devices"] == {"up": 3000}


async def test_who_was_never_heard_of_is_not_found(cloud: Cloud) -> None:
    assert (await cloud.client.get("/v1/gateways/nothing")).status_code == 404
    assert (await cloud.client.get("/v1/devices/nothing")).status_code == 404


async def test_there_is_one_tenant(cloud: Cloud) -> None:
    (main,) = (await cloud.json("/v1/tenants"))["items"]
    assert main["id"] == "main"
    assert await cloud.json("/v1/tenants/main") == main
    assert (await cloud.client.get("/v1/tenants/other")).status_code == 404


async def test_a_device_that_takes_no_part_says_why(cloud: Cloud) -> None:
    for birth, why_not in ((1, "no room on the disk"), (2, "")):
        hello = Hello(devices=(Device("d1", "up", 40, why_not=why_not),))
        async with cloud.database.write() as session:
            await service.told(session, MAIN, "g1", Entry(state="up", birth=birth, hello=hello), now())
        found = await cloud.json("/v1/devices/d1")
        assert (found["state"], found["why_not"]) == ("up", why_not)


async def test_for_how_long_somebody_could_be_asked_is_counted(cloud: Cloud) -> None:
    began = now()

    async def tell(seconds: int, *devices: Device, gateway: str = "g1", state: Literal["up", "away"] = "up") -> None:
        entry = Entry(state=state, birth=1, hello=Hello(devices=devices))
        async with cloud.database.write() as session:
            await service.told(session, MAIN, gateway, entry, began + timedelta(seconds=seconds))

    async def counted(table: type[DeviceRow] | type[GatewayRow], name: str) -> tuple[int, int, datetime]:
        async with cloud.database.read() as session:
            row = await session.get(table, (MAIN, name))
        assert row is not None
        return row.up_ms, row.down_ms, row.changed_at

    up, away, full = Device("d1", "up", 40), Device("d1", "away", 40), Device("d1", "up", 40, why_not="no room on the disk")
    await tell(0, up)
    await tell(10, away)
    await tell(14, full)
    await tell(17, up)
    await tell(12, full)  # by a clock that was set back
    assert await counted(DeviceRow, "d1") == (10_000, 7_000, began + timedelta(seconds=17))
    await tell(20, up, gateway="g2")  # it has moved
    await tell(21, state="away")
    await tell(25)
    assert await counted(DeviceRow, "d1") == (10_000, 10_000, began + timedelta(seconds=20))
    assert await counted(GatewayRow, "g1") == (21_000, 4_000, began + timedelta(seconds=25))
