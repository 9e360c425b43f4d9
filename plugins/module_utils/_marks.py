# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Who else has the mark of a tunnel: conns of others, their devices, policies of the kernel, rules by fwmark. Pure.

The mark alone tells apart tunnels that each carry everything. Where two have the same one, the kernel takes the policy
that it finds first for the packets of both: one of them is dead, though it is established.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import json
import typing as t

from ansible_collections.route_based.vpn.plugins.module_utils import (
    _devices,
    _main_conf,
    _routes,
    _status,
    _values,
    _xfrm,
)

Mark = _values.Mark
#: What kube-proxy sets in packets (--iptables-masquerade-bit 14, and the mark to drop), and the programs it comes with.
KUBE_MARKS = (0x4000, 0x8000)
KUBE_PROGRAMS = frozenset({"kube-proxy", "kubelet", "k3s", "k3s-server", "k3s-agent", "rke2"})
#: Values of auto= with which libreswan loads a conn when it starts.
LOADED_BY_ITSELF = frozenset({"add", "start", "up", "ondemand", "route", "keep"})


@dataclasses.dataclass(frozen=True)
class Holder:
    """Somebody with a mark for each direction, or for one of them. C(who) reads on after "the mark of"."""

    who: str
    inbound: t.Optional[Mark] = None
    outbound: t.Optional[Mark] = None

    def meets(self, other: Holder) -> bool:
        """Whether a packet can have the marks of both, in one of the directions."""
        return meet(self.inbound, other.inbound) or meet(self.outbound, other.outbound)

    @property
    def text(self) -> str:
        """Both marks, as libreswan writes them."""
        if self.inbound and self.outbound and self.inbound != self.outbound:
            return f"{self.inbound} in, {self.outbound} out"
        return str(self.inbound or self.outbound)


def meet(one: t.Optional[Mark], other: t.Optional[Mark]) -> bool:
    """Whether there is a mark that both stand for."""
    return one is not None and other is not None and not (one.value ^ other.value) & one.mask & other.mask


def parsed(value: t.Any) -> t.Optional[Mark]:
    """A mark, or None for none and for one that no packet of ours can be known to have."""
    try:
        return _values.mark(value)
    except (TypeError, ValueError):
        return None


def wished(entry: t.Mapping[str, t.Any]) -> Holder:
    """An entry of vti_tunnel's C(tunnels)."""
    either = entry.get("key")
    return Holder(f"device {entry['name']}", *(parsed(entry.get(end, either)) for end in ("ikey", "okey")))


def of_device(device: _devices.Device) -> Holder:
    """A live VTI device."""
    return Holder(f"device {device.name}, which this collection did not make", parsed(device.ikey), parsed(device.okey))


def of_files(around: _main_conf.Around) -> dict[str, Holder]:
    """By name, the conns that stand in files and that libreswan loads by itself."""
    found = {}
    for name, path in around.conns.items():
        if around.option(name, "auto") in LOADED_BY_ITSELF:
            both = around.option(name, "mark")
            ends = (parsed(around.option(name, end) or both) for end in ("mark-in", "mark-out"))
            found[name] = Holder(f"conn {name} in {path}", *ends)
    return found


def of_pluto(status: _status.Status) -> dict[str, Holder]:
    """By name, the conns that pluto has."""
    return {
        name: Holder(f"conn {name}, which pluto has loaded", parsed(part.mark_in), parsed(part.mark_out))
        for name, conn in status.conns.items()
        for part in conn.parts.values()
        if part.mark_in or part.mark_out
    }


def of_policies(policies: t.Iterable[_xfrm.Policy], ours: t.Sequence[Holder]) -> list[Holder]:
    """Outbound policies with a mark that is none of C(ours), the conns in our file and the devices that we made."""
    known = {holder.outbound.value for holder in ours if holder.outbound}
    return [
        Holder(
            f"an IPsec policy of the kernel from {policy.local} to {policy.remote}",
            None,
            Mark(policy.value, policy.mask),
        )
        for policy in policies
        if policy.mask and policy.value and policy.value not in known
    ]


def of_rules(*texts: str) -> list[Holder]:
    """Policy rules by fwmark that are not ours, from what C(ip -json rule show) says."""
    found = {}
    for text in texts:
        for rule in json.loads(text or "[]"):
            value, mask = rule.get("fwmark"), rule.get("fwmask", _values.U32_MAX)
            if value is not None and str(rule.get("protocol")) != str(_routes.PROTOCOL):
                mark = parsed(f"{value}/{mask}")
                if mark:
                    found[mark] = Holder(f"the policy rule with priority {rule.get('priority')}", mark, mark)
    return list(found.values())


def problems(wanted: t.Sequence[Holder], others: t.Sequence[Holder]) -> t.Iterator[str]:
    """Each of C(wanted) that meets one of the others, with the first that it meets."""
    for mine in wanted:
        other = next((each for each in others if mine.meets(each)), None)
        if other:
            yield (
                f"{mine.who}: its mark {mine.text} meets {other.text}, the mark of {other.who}: the kernel gives the "
                "packets of both to the policy that it finds first, and one of the two carries nothing; give the "
                "tunnel another mark"
            )


def warnings(wanted: t.Sequence[Holder], rules: t.Sequence[Holder], kube: bool) -> t.Iterator[str]:
    """Each of C(wanted) whose policies take packets that others mark, those of C(rules) and kube-proxy."""
    setters = [*rules, *(Holder("kube-proxy", Mark(value), Mark(value)) for value in KUBE_MARKS if kube)]
    for mine in wanted:
        # The value alone: whoever sets a mark for a rule with a mask seldom sets more bits than those.
        setter = next(
            (each for each in setters if each.outbound and meet(mine.outbound, Mark(each.outbound.value))), None
        )
        if setter:
            yield (
                f"{mine.who}: packets that others mark with {setter.text} ({setter.who}) would go into the tunnel, "
                "which has that mark; give the tunnel another mark"
            )


def key(text: t.Any) -> int:
    """A key of a VTI device as C(ip -json) writes it: as an IPv4 address; 0 without one."""
    return int(ipaddress.IPv4Address(text)) if text else 0
