#!/usr/bin/python
# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: ipsec_hostkey
short_description: Make sure that a host has one raw key for libreswan
version_added: 0.1.0
author:
  - route_based.vpn contributors (@route-based)
description:
  - Makes a raw RSA or ECDSA key in libreswan's NSS database where there is none, and returns its public half.
  - C(ipsec newhostkey) adds a key each time it is run. This module never makes a second one. The private key never
    leaves the host.
  - Private keys that belong to a certificate are no raw keys. They are neither counted nor touched.
extends_documentation_fragment:
  - route_based.vpn.attributes
  - route_based.vpn.attributes.action_group
requirements:
  - libreswan 4.10 or newer
  - certutil (libnss3-tools, nss-tools)
  - Linux, as root
attributes:
  check_mode:
    support: full
    details:
      - A key that is only foretold has no CKAID and no public half yet.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  type:
    description:
      - The kind of key. A host that has a raw key of the other kind is refused, unless O(replaces) names that key.
    type: str
    choices: [ecdsa, rsa]
    default: ecdsa
  curve:
    description:
      - The curve of a new ECDSA key.
    type: str
    choices: [secp256r1, secp384r1, secp521r1]
    default: secp256r1
  bits:
    description:
      - The size of a new RSA key in bits. libreswan makes none of less than 2192.
    type: int
    default: 3072
  ckaid:
    description:
      - The CKAID of the key that counts, on a host that has several raw keys already.
    type: str
  replaces:
    description:
      - The CKAID of a key that is to be replaced. Where the host has that key it gets a new one, and the old one is
        removed then. Where it has not, as in the next run, nothing is done.
      - SAs that are up stay up. The conns of both ends need the new key before they authenticate again.
    type: str
seealso:
  - module: route_based.vpn.ipsec_conn
  - module: route_based.vpn.ipsec_certificate
"""

EXAMPLES = r"""
- name: The host has a key
  route_based.vpn.ipsec_hostkey:
  register: hostkey

- name: Rotate it
  route_based.vpn.ipsec_hostkey:
    replaces: "{{ hostkey.ckaid }}"
"""

RETURN = r"""
ckaid:
  description: The key's identifier, 40 hexadecimal digits, as C(leftckaid) takes it.
  returned: success, unless the key is only foretold
  type: str
  sample: 8ad134fedae34a9ac3d3886ff138d883c11532cb
type:
  description: Its kind, V(rsa) or V(ecdsa).
  returned: success
  type: str
  sample: ecdsa
keyword:
  description: What C(left) or C(right) is put in front of to make the keyword that takes the public key.
  returned: success, unless the key is only foretold
  type: str
  sample: ecdsakey
public_key:
  description: The public half as C(leftecdsakey) or C(leftrsasigkey) takes it.
  returned: success, unless the key is only foretold
  type: str
  sample: 0sEGac0hQKOlLR4lusKPKL24PWnTTjGY62NKz+oJY4zmGlDAUZe985IGwfgkmNQ6or1C/zYW7vv4Z6+HDXZAgEcg==
action:
  description: What was done, V(kept), V(created) or V(updated), where a key was replaced.
  returned: success
  type: str
  sample: kept
removed:
  description: CKAIDs of keys that were removed.
  returned: success
  type: list
  elements: str
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.route_based.vpn.plugins.module_utils import _hostkey, _lock, _run
from ansible_collections.route_based.vpn.plugins.module_utils._errors import InputError
from ansible_collections.route_based.vpn.plugins.module_utils._nss import HostKey, Nss


def argument_spec() -> dict:
    """The module's options."""
    return {
        "type": {"type": "str", "choices": ["ecdsa", "rsa"], "default": "ecdsa"},
        "curve": {"type": "str", "choices": ["secp256r1", "secp384r1", "secp521r1"], "default": "secp256r1"},
        "bits": {"type": "int", "default": 3072},
        "ckaid": {"type": "str"},
        "replaces": {"type": "str"},
    }


def work(module: AnsibleModule) -> None:
    params = module.params
    if params["bits"] < _hostkey.BITS_MIN:
        raise InputError("ipsec_hostkey", "bits", params["bits"], f"libreswan wants {_hostkey.BITS_MIN} or more")
    with _lock.of(module, "ipsec_hostkey"):
        result = _result(params, Nss(module.run_command), module.check_mode)
    module.exit_json(**result)


def _result(params: dict, nss: Nss, check_mode: bool) -> dict:
    decision = _hostkey.decide(nss.keys(), params["type"], params["ckaid"], params["replaces"])
    key = decision.keep
    if not check_mode:
        if key is None:
            size = str(params["bits"]) if params["type"] == "rsa" else params["curve"]
            key = HostKey(params["type"], nss.generate(params["type"], size))
        for old in decision.remove:
            nss.delete_key(old.ckaid)
    result = {
        "changed": decision.changed,
        "type": params["type"],
        "action": _action(decision),
        "removed": [old.ckaid for old in decision.remove],
        "diff": _diff(decision, key),
    }
    if key:
        keyword, public = nss.public_key(key.ckaid)
        result.update(ckaid=key.ckaid, keyword=keyword, public_key=public)
    return result


def _action(decision: _hostkey.Decision) -> str:
    if not decision.changed:
        return "kept"
    return "updated" if decision.remove else "created"


def _diff(decision: _hostkey.Decision, key: HostKey | None) -> dict:
    there = [key for key in (decision.keep, *decision.remove) if key]
    after = key.ckaid if key else "a new key"
    return {"before": {"raw keys": [key.ckaid for key in there]}, "after": {"raw keys": [after]}}


def main() -> None:
    module = AnsibleModule(
        argument_spec=argument_spec(), mutually_exclusive=[("ckaid", "replaces")], supports_check_mode=True
    )
    _run.guarded(module, work)


if __name__ == "__main__":
    main()
