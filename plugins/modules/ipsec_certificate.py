#!/usr/bin/python
# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: ipsec_certificate
short_description: Keep certificates, CAs and revocation lists in libreswan's NSS database
version_added: 0.1.0
author:
  - route_based.vpn contributors (@route-based)
description:
  - Imports certificates with their private keys from PKCS#12, trusts CAs, and imports revocation lists.
  - C(ipsec import) adds what it is given each time, under whatever name the file has. This module compares first,
    keeps what is there, and replaces a certificate that was renewed. Every certificate has the nickname that it is
    given here.
  - A conn whose C(leftcert) was renewed is loaded anew by M(route_based.vpn.ipsec_conn), as pluto would keep the old
    one.
  - No secret is an argument of a process. PKCS#12 and its passphrase are in files that only root can read, for as long
    as the module runs.
extends_documentation_fragment:
  - route_based.vpn.attributes
  - route_based.vpn.attributes.action_group
requirements:
  - libreswan 4.10 or newer
  - certutil, pk12util and crlutil (libnss3-tools, nss-tools)
  - Linux, as root
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  certificates:
    description:
      - Certificates of this host, each with its private key.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description:
          - The nickname in the database, as C(leftcert) takes it, 1 to 64 letters, digits, C(.), C(_) or C(-).
        type: str
        required: true
      pkcs12:
        description:
          - The PKCS#12 file in base64. It has to hold one certificate with its private key. CA certificates beside it
            are imported as trusted ones.
          - Required unless O(certificates[].state=absent).
        type: str
      passphrase:
        description:
          - The passphrase of the PKCS#12 file.
        type: str
        default: ""
      state:
        description:
          - V(absent) means that the certificate and its private key are removed.
        type: str
        choices: [present, absent]
        default: present
  authorities:
    description:
      - CAs that peers' certificates are accepted from.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description:
          - The nickname in the database, 1 to 64 letters, digits, C(.), C(_) or C(-).
        type: str
        required: true
      certificate:
        description:
          - The certificate as PEM. Required unless O(authorities[].state=absent).
        type: str
      state:
        description:
          - V(absent) means that the CA is removed, and no longer trusted.
        type: str
        choices: [present, absent]
        default: present
  crls:
    description:
      - Revocation lists, each as PEM, or as DER in base64. The CA of each has to be in the database.
    type: list
    elements: str
    default: []
seealso:
  - module: route_based.vpn.ipsec_conn
  - module: route_based.vpn.ipsec_hostkey
"""

EXAMPLES = r"""
- name: The certificate of this gateway, and the CA of its peers
  route_based.vpn.ipsec_certificate:
    certificates:
      - name: gateway
        pkcs12: "{{ lookup('ansible.builtin.pipe', 'base64 -w0 ' ~ inventory_hostname ~ '.p12') }}"
        passphrase: "{{ vault_pkcs12_passphrase }}"
    authorities:
      - name: vpn-ca
        certificate: "{{ lookup('ansible.builtin.file', 'vpn-ca.pem') }}"
    crls:
      - "{{ lookup('ansible.builtin.file', 'vpn-ca.crl.pem') }}"

- name: It is not wanted any more
  route_based.vpn.ipsec_certificate:
    certificates:
      - name: gateway
        state: absent
"""

RETURN = r"""
certificates:
  description: One entry for each certificate that was asked for.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The nickname.
      type: str
      returned: always
      sample: gateway
    action:
      description: What was done, V(kept), V(created), V(updated) or V(removed).
      type: str
      returned: always
      sample: updated
    reasons:
      description: Why, one entry for each difference.
      type: list
      elements: str
      returned: always
      sample: ["fingerprint: 5d0c... -> a1b2..."]
authorities:
  description: The same for each CA, those that came with a PKCS#12 file among them.
  returned: success
  type: list
  elements: dict
  sample: [{name: vpn-ca, action: kept, reasons: []}]
crls:
  description: The same for each revocation list, by the nickname of its CA.
  returned: success
  type: list
  elements: dict
  sample: [{name: vpn-ca, action: created, reasons: []}]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.route_based.vpn.plugins.module_utils import _certificates, _lock, _run


def argument_spec() -> dict:
    """The module's options."""
    state = {"type": "str", "choices": ["present", "absent"], "default": "present"}
    certificate = {
        "name": {"type": "str", "required": True},
        "pkcs12": {"type": "str", "no_log": True},
        "passphrase": {"type": "str", "default": "", "no_log": True},
        "state": state,
    }
    authority = {"name": {"type": "str", "required": True}, "certificate": {"type": "str"}, "state": state}
    return {
        "certificates": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": certificate,
            "required_if": [("state", "present", ("pkcs12",))],
        },
        "authorities": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": authority,
            "required_if": [("state", "present", ("certificate",))],
        },
        "crls": {"type": "list", "elements": "str", "default": []},
    }


def work(module: AnsibleModule) -> None:
    with _lock.of(module, "ipsec_certificate"):
        result = _certificates.run(module)
    module.exit_json(**result)


def main() -> None:
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    _run.guarded(module, work)


if __name__ == "__main__":
    main()
