# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""The keywords of a conn that libreswan knows, for a typing error to be told before a host is spoken to. 4.10 or 5.2
took each of them in C(addconn --checkconfig), but for nflog-group and share-lease, which are new in 5.4. A keyword that
is not here may be one of another version: libreswan itself decides about it. Pure."""

from __future__ import annotations

from ansible_collections.route_based.vpn.plugins.plugin_utils import _shapes

#: So much like a known keyword is one with a letter wrong, missing, doubled or swapped; 0 to 1.
ALIKE = 0.87
_OF_AN_END = """
addresspool auth autheap ca cat cert ckaid ecdsakey id ikeport interface-ip modecfgclient modecfgserver nexthop
protoport pubkey rsasigkey sendcert sourceip subnet subnets updown username vti
xauthclient xauthserver xauthusername""".split()
_OF_THE_CONN = """
accept-redirect accept-redirect-to aggressive aggrmode ah also alsoflip audit-log authby auto cisco-unity
clientaddrfamily compress connalias decap-dscp dpdaction dpddelay dpdtimeout drop-oppo-null enable-tcp encap-dscp
encapsulation esn esp failureshunt fake-strongswan forceencaps fragmentation hostaddrfamily ignore-peer-dns ike
ikelifetime ikepad ikev2 initial-contact intermediate ipsec-interface ipsec-interface-managed ipsec-lifetime
ipsec-max-bytes ipsec-max-packets iptfs iptfs-drop-time iptfs-fragmentation iptfs-init-delay iptfs-max-queue-size
iptfs-packet-size iptfs-reorder-window keyexchange keyingtries keylife left lifetime mark mark-in mark-out metric
mobike modecfgbanner modecfgdns modecfgdomains modecfgpull ms-dh-downgrade mtu narrowing nat-ikev1-method
nat-keepalive negotiationshunt nflog nflog-group nic-offload nm-configured nopmtudisc overlapip pam-authorize pfs
pfs-rekey-workaround phase2 phase2alg policy-label ppk ppk-ids priority reauth rekey rekeyfuzz rekeymargin
remote-peer-type replay-window reqid require-id-on-certificate retransmit-interval retransmit-timeout right
salifetime sec-label send-no-esp-tfc send-redirect send-vendorid sendca session-resumption sha2-truncbug share-lease
tcp-remoteport tfc type vti-interface vti-routing vti-shared xauthby xauthfail""".split()
KNOWN = frozenset((*_OF_THE_CONN, *(f"{end}{word}" for end in ("left", "right") for word in _OF_AN_END)))


def reason(keyword: str) -> str:
    """Why a keyword, lower case with C(-), is refused: it is none and one with a typing error; else an empty text."""
    meant = "" if keyword in KNOWN else _shapes.did_you_mean(keyword, KNOWN, ALIKE)
    return f"is no keyword of libreswan; {meant.strip()}" if meant else ""
