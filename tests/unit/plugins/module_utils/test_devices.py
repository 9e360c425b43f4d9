# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import golden
import pytest
from ansible_collections.route_based.vpn.plugins.module_utils import _device_plan, _device_ways, _devices
from ansible_collections.route_based.vpn.plugins.module_utils._errors import InputErrors, StoreError
from fakes.kernel import FakeKernel, device, route
from hypothesis import given
from hypothesis import strategies as st

WEST = {"name": "west", "local": "192.0.2.1", "remote": "192.0.2.2", "key": "12"}


@pytest.mark.parametrize("name", golden.cases("devices"))
def test_plan(name):
    case = golden.load("devices", name)
    assert golden.outcome(case, "devices") == case["plan"]


@pytest.mark.parametrize("name", golden.cases("devices"))
def test_carried_out_plan_leaves_nothing_to_do(name):
    case = golden.load("devices", name)
    if "refused" in case["plan"]:
        return
    kernel = golden.kernel_of(case)
    for _name, operation in golden.plan_of(case, "devices", kernel).work:
        kernel.apply(operation)
    again = golden.plan_of(case, "devices", kernel)
    assert again.work == ()
    assert not any(change.changed for change in again.changes)


def test_routes_come_back_as_they_were():
    case = golden.load("devices", "recreate_remote_to_any")
    kernel = golden.kernel_of(case)
    before = {str(r): r for r in kernel.routes}
    for _name, operation in golden.plan_of(case, "devices", kernel).work:
        kernel.apply(operation)
    back = {str(r): r for r in kernel.routes}
    assert len(back) == 4
    assert all(before[name] == live for name, live in back.items())
    assert kernel.devices["west"].index == 77


def test_routes_are_read_only_for_a_device_that_is_made_anew():
    kernel = FakeKernel([device(**{**WEST, "key": 12})], routes=[route(destination="10.0.0.0/8", device="west")])
    for remote, asked in (("192.0.2.3", []), ("any", ["west"])):
        wanted = _devices.from_params([{**WEST, "remote": remote}])
        _device_plan.plan(kernel.device_state(["west"]), wanted, False, kernel.routes_of, kernel.way_to)
        assert kernel.asked_routes_of == asked


def test_long_warning_is_cut_short():
    wanted = _devices.from_params([{**WEST, "name": f"v{n}", "remote": f"192.0.2.{n}"} for n in range(10, 18)])
    plan = _device_plan.plan(FakeKernel(rp_filter_all=1).device_state([]), wanted, False, lambda name: (), None)
    assert "v10, v11, v12, v13, v14 and 3 more" in plan.warnings[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": ""}, "1 to 15"),
        ({"name": "a" * 16}, "1 to 15"),
        ({"name": "vti 1"}, "1 to 15"),
        ({"name": "vti.1"}, "1 to 15"),
        ({"name": "vti/1"}, "1 to 15"),
        ({"name": "vti'1"}, "1 to 15"),
        ({"name": "vti\n1"}, "1 to 15"),
        ({"name": "vt$(id)"}, "1 to 15"),
        ({"name": "vtü"}, "1 to 15"),
        ({"name": "ip_vti0"}, "fallback device"),
        ({"name": "ip6_vti0"}, "fallback device"),
        ({"name": "ip_vti0", "state": "absent"}, "fallback device"),
        ({"local": "192.0.2"}, "local='192.0.2': is not an IPv4 or IPv6 address"),
        ({"local": "192.0.2.1/24"}, "is not an IPv4 or IPv6 address"),
        ({"local": "west.example.com"}, "is not an IPv4 or IPv6 address"),
        ({"local": "192.0.2.1\n"}, "is not an IPv4 or IPv6 address"),
        ({"local": "0.0.0.0"}, "unspecified"),
        ({"local": "127.0.0.1"}, "no address that a tunnel can end at"),
        ({"remote": "224.0.0.1"}, "multicast"),
        ({"remote": "255.255.255.255"}, "broadcast"),
        ({"remote": "::"}, "unspecified"),
        ({"remote": "fe80::1%eth0"}, "no address that a tunnel can end at"),
        ({"remote": "2001:db8::2"}, "not of the family of local"),
        ({"remote": "192.0.2.1"}, "the same address as local"),
        ({"local": "any", "remote": "any"}, "never sends"),
        ({"local": None, "remote": None}, "never sends"),
        ({"key": None}, "give either key, or ikey and okey"),
        ({"ikey": "1"}, "give either key, or ikey and okey"),
        ({"key": None, "ikey": "1"}, "give either key, or ikey and okey"),
        ({"key": None, "okey": "1"}, "give either key, or ikey and okey"),
        ({"key": "0"}, "mark 0 means no mark"),
        ({"key": "0x0/0xffffffff"}, "mark 0 means no mark"),
        ({"key": "-1"}, "mark=-1"),
        ({"key": "-1/0xffffffff"}, "mark=-1"),
        ({"key": "4294967296"}, "wider than 32 bits"),
        ({"key": "0x100000000"}, "is not a mark"),
        ({"key": "5/0x4"}, "outside its mask"),
        ({"key": "5/"}, "is not a mark"),
        ({"key": "0.0.0.5"}, "is not a mark"),
        ({"key": "five"}, "is not a mark"),
        ({"key": "%unique"}, "is not a mark"),
        ({"key": "٥"}, "is not a mark"),
        ({"key": None, "ikey": "1", "okey": "0"}, "okey='0': mark 0"),
        ({"kind": "dummy"}, "local='192.0.2.1': is an option of a tunnel, and kind is dummy"),
        ({"unnumbered": {"address": "10.255.0.1", "peer": "fd00::1"}}, "is not of the family of 10.255.0.1"),
        ({"unnumbered": {"address": "10.255.0.1", "peer": "10.255.0.1"}}, "is the address itself"),
        ({"unnumbered": {"address": "10.255.0.1/32", "peer": "10.255.0.2"}}, "is not an IPv4 or IPv6 address"),
        (
            {"unnumbered": {"address": "10.255.0.1", "peer": "10.255.0.2"}, "vrf": "red"},
            "vrf='red': has no place at a device that is unnumbered",
        ),
        ({"link": "west"}, "is the device itself"),
        ({"link": "eth0/1"}, "is not a device name"),
        ({"link": "ip_vti0"}, "fallback device"),
        ({"link": "a" * 16}, "is not a device name"),
        ({"mtu": 0}, "has to be 68 to 65515"),
        ({"mtu": 67}, "has to be 68 to 65515"),
        ({"mtu": 65516}, "has to be 68 to 65515"),
        ({"mtu": "big"}, "is neither a number of bytes nor auto"),
        ({"mtu": "1400.5"}, "is neither a number of bytes nor auto"),
        ({"mtu": "0x578"}, "is neither a number of bytes nor auto"),
        ({"mtu": ""}, "is neither a number of bytes nor auto"),
        ({"mtu": "auto", "esp": "rot13"}, "esp='rot13': has the cipher 'rot13', whose overhead is not known"),
        ({"esp": "aes_gcm512"}, "whose overhead is not known"),
        ({"esp": "aes-sha1,,"}, "whose overhead is not known"),
        ({"underlay_mtu": 575}, "underlay_mtu=575: has to be 576 to 65535"),
        ({"underlay_mtu": 65536}, "has to be 576 to 65535"),
        ({"underlay_mtu": -1}, "has to be 576 to 65535"),
        ({"vrf": "a/b"}, "vrf='a/b': is not a device name"),
        ({"vrf": "x" * 16}, "is not a device name"),
        ({"vrf": "ip_vti0"}, "fallback device"),
        ({"mtu": -1}, "has to be 68 to 65515"),
        ({"local": "2001:db8::1", "remote": "2001:db8::2", "mtu": 65496}, "has to be 68 to 65495"),
        ({"mtu": 1279, "addresses": [{"address": "fd00::1/64"}]}, "1280 or more"),
        ({"addresses": [{"address": "10.9.0.1"}]}, "addresses[0].address='10.9.0.1': needs a prefix length"),
        ({"addresses": [{"address": "10.9.0.1/33"}]}, "is not an address with a prefix length"),
        ({"addresses": [{"address": "10.9.0.1/255.255.255.0"}]}, "as a number"),
        ({"addresses": [{"address": "10.9.0/24"}]}, "is not an address with a prefix length"),
        ({"addresses": [{"address": "0.0.0.0/24"}]}, "unspecified"),
        ({"addresses": [{"address": "224.0.0.1/24"}]}, "multicast"),
        ({"addresses": [{"address": "10.9.0.1/24"}, {"address": "10.9.0.1/24"}]}, "addresses[1].address"),
        ({"addresses": [{"address": "10.9.0.1/32", "peer": "10.9.0.2/32"}]}, "is not an IPv4 or IPv6 address"),
        ({"addresses": [{"address": "10.9.0.1/32", "peer": "fd00::2"}]}, "is not of the family of 10.9.0.1/32"),
        ({"sysctls": {"disable_xfrm": 1}}, "sends nothing at all"),
        ({"sysctls": {"rp_filter": 3}}, "sysctls.rp_filter=3: has to be 0 to 2"),
        ({"sysctls": {"forwarding": 2}}, "has to be 0 to 1"),
        ({"sysctls": {"forwarding": "yes; id"}}, "has to be 0 to 1"),
        ({"sysctls": {"../eth0/forwarding": 1}}, "is no sysctl that this module sets"),
        ({"sysctls": {"mtu": 1400}}, "is no sysctl that this module sets"),
    ],
    ids=str,
)
def test_bad_input(change, words):
    tunnels = [{"name": "ok", "local": "192.0.2.1", "remote": "192.0.2.9", "key": "9"}, {**WEST, **change}]
    with pytest.raises(InputErrors) as caught:
        _devices.from_params(tunnels)
    assert words in str(caught.value)
    assert all(str(error).startswith(f"tunnels[1] ({tunnels[1]['name']}): ") for error in caught.value.errors)


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ({"name": "west", "remote": "192.0.2.9"}, "is in tunnels[0] already"),
        ({"name": "west", "state": "absent"}, "is in tunnels[0] already"),
        ({"name": "two", "key": "13"}, "tunnels[0] has the same local, remote and link"),
    ],
)
def test_duplicates(second, words):
    with pytest.raises(InputErrors, match=r"tunnels\[1\]") as caught:
        _devices.from_params([WEST, {**WEST, **second}])
    assert words in str(caught.value)


def test_second_wildcard_and_second_vti6_on_another_link_are_duplicates():
    road = {"name": "road", "local": "192.0.2.1", "key": "1"}
    six = {"name": "six", "local": "2001:db8::1", "remote": "2001:db8::2", "key": "2"}
    with pytest.raises(InputErrors) as caught:
        _devices.from_params([road, {**road, "name": "road2"}, six, {**six, "name": "six2", "link": "eth0"}])
    assert [error.item for error in caught.value.errors] == ["tunnels[1] (road2)", "tunnels[3] (six2)"]


def test_everything_wrong_is_reported_at_once():
    with pytest.raises(InputErrors) as caught:
        _devices.from_params([{**WEST, "name": "a b", "key": "0", "mtu": 1}, {**WEST, "remote": "x"}])
    assert [error.option for error in caught.value.errors] == ["name", "key", "mtu", "remote"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [("5", 5), ("0x5", 5), ("5/0xffffffff", 5), ("0x5/0xF", 5), ("4294967294", 0xFFFFFFFE), (7, 7)],
)
def test_keys(given, kept):
    assert _devices.from_params([{**WEST, "key": given}])[0].device.ikey == kept


def test_values_are_normalised():
    entry = {
        "name": "six",
        "local": "2001:DB8:0:0::1",
        "remote": "ANY".lower(),
        "key": "5",
        "enabled": None,
        "mtu": None,
    }
    entry["addresses"] = [{"address": "FD00:0::1/64", "peer": None}, {"address": "10.0.0.1/32", "peer": "10.0.0.1"}]
    made = _devices.from_params([entry])[0].device
    assert (made.kind, made.local, made.remote, made.mtu, made.enabled) == ("vti6", "2001:db8::1", "any", 1400, True)
    assert [str(inner) for inner in made.addresses] == ["fd00::1/64", "10.0.0.1/32"]
    assert dict(made.sysctls) == {"disable_policy": 1, "forwarding": 1, "rp_filter": 0}


ADDRESSES = st.lists(
    st.sampled_from(
        ["10.9.0.1/24", "10.9.0.2/24", "10.9.0.1/32 peer 10.9.0.2", "10.8.0.1/30", "fd00::1/64", "fd00::1/128"]
    ),
    unique=True,
    max_size=3,
)
ENDS = st.sampled_from(
    [("vti", "192.0.2.1", f"192.0.2.{n}") for n in range(2, 5)]
    + [("vti", "192.0.2.1", "any"), ("vti", "any", "192.0.2.2"), ("vti6", "2001:db8::1", "2001:db8::2")]
)
NAMES = st.sampled_from(["a", "b", "c", "d"])


@st.composite
def worlds(draw, live):
    """Devices with different names and ends."""
    names = draw(st.lists(NAMES, unique=True, max_size=4))
    ends = draw(st.lists(ENDS, unique=True, min_size=len(names), max_size=len(names)))
    result = []
    for name, (kind, local, remote) in zip(names, ends, strict=True):
        mtu = draw(st.sampled_from([1200, 1280, 1400]))
        addresses = [a for a in draw(ADDRESSES) if mtu >= 1280 or ":" not in a]
        fields = {"name": name, "local": local, "remote": remote, "mtu": mtu, "enabled": draw(st.booleans())}
        keys = {"ikey": draw(st.integers(1, 2)), "okey": draw(st.integers(1, 2))}
        if live:
            alias = draw(st.sampled_from(["route_based.vpn", ""]))
            result.append(
                device(**fields, **keys, kind=kind, addresses=addresses, alias=alias, sysctls={"rp_filter": 1})
            )
        else:
            pairs = [text.partition(" peer ")[::2] for text in addresses]
            fields["addresses"] = [{"address": address, "peer": peer} for address, peer in pairs]
            result.append({**fields, **keys})
    return result


@given(worlds(True), worlds(False), st.booleans())
def test_any_plan_that_is_not_refused_works_and_leaves_nothing_to_do(live, tunnels, purge):
    kernel = FakeKernel(live, routes=[route(destination=f"10.{n}.0.0/16", device=d.name) for n, d in enumerate(live)])
    wanted = _devices.from_params(tunnels)
    try:
        plan = _device_plan.plan(
            kernel.device_state(["a", "b", "c", "d"]), wanted, purge, kernel.routes_of, kernel.way_to
        )
    except InputErrors:
        return
    for _name, operation in plan.work:
        kernel.apply(operation)
    again = _device_plan.plan(kernel.device_state([]), wanted, purge, kernel.routes_of, kernel.way_to)
    assert again.work == ()


def test_fake_kernel_refuses_what_the_real_one_refuses():
    kernel = FakeKernel([device(**{**WEST, "key": 12})], others={"dum": "dummy"})
    west = kernel.devices["west"]
    bad = [
        _devices.AddDevice(west),
        _devices.AddDevice(device(**{**WEST, "name": "two", "key": 13})),
        _devices.AddDevice(device(**{**WEST, "name": "dum", "remote": "192.0.2.7", "key": 1})),
        _devices.AddDevice(device(name="none", key=1)),
        _devices.ChangeEnds(device(**{**WEST, "remote": "any", "key": 12})),
        _devices.ChangeEnds(device(**{**WEST, "name": "gone", "key": 12})),
        _devices.ChangeEnds(device(name="west", kind="vti6", local="::1", remote="::2", key=12)),
        _devices.SetDevice("west", mtu=65516),
        _devices.SetDevice("gone", mtu=1400),
    ]
    for operation in bad:
        with pytest.raises(StoreError):
            kernel.apply(operation)
    assert kernel.devices == {"west": west}


@pytest.mark.parametrize(
    ("tunnel", "words"),
    [
        ({"remote": "203.0.113.7"}, "the kernel knows no way to 203.0.113.7; give underlay_mtu"),
        ({"local": "203.0.113.1", "remote": "any"}, "the kernel knows no way to 203.0.113.1"),
        (
            {"addresses": [{"address": "fd00::1/64"}]},
            "of an underlay of 1300 bytes 1246 are left",
        ),
    ],
)
def test_mtu_that_cannot_be_worked_out(tunnel, words):
    kernel = FakeKernel()
    kernel.underlay_mtu = 1300
    ends = {"name": "v", "local": "192.0.2.1", "remote": "192.0.2.2", "key": 1, "mtu": "auto"}
    with pytest.raises(InputErrors) as caught:
        _device_ways.with_mtus(_devices.from_params([{**ends, **tunnel}]), kernel.way_to)
    assert words in str(caught.value)
    given = _devices.from_params([{**ends, "remote": "203.0.113.7", "underlay_mtu": 1500}])
    assert _device_ways.with_mtus(given, kernel.way_to)[0].device.mtu == 1446


def test_nobody_asks_for_ways_that_nobody_needs():
    kernel = FakeKernel()
    entry = {"name": "v", "local": "192.0.2.1", "remote": "192.0.2.2", "key": 1}
    wanted = _device_ways.with_mtus(_devices.from_params([entry]), kernel.way_to)
    _device_plan.plan(kernel.device_state([]), wanted, False, kernel.routes_of, kernel.way_to)
    assert kernel.asked_ways_of == []
