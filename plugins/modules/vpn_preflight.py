#!/usr/bin/python
# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: vpn_preflight
short_description: Find everything that stands in the way of tunnels before anything is changed
version_added: 0.1.0
author:
  - route_based.vpn contributors (@route-based)
description:
  - Looks at a host that is to become a gateway, and names all problems at once, each with what to do about it.
  - It needs neither pyroute2 nor libreswan, and asks C(ip) of iproute2 and, where they are there, C(ipsec) and pluto.
    Nothing is changed.
  - Python has to be 3.9 or newer, and systemd has to run.
  - The kernel has to make VTI devices. This is tried in a network namespace that is gone a moment later. The kernel
    loads its module for it where it has one.
  - pyroute2 and libreswan must not be too old, nor C(ipsec) be another program's. Missing ones are a problem where
    nothing installs them (O(installs)).
  - No other IKE daemon may hold UDP port 500, and the clock has to be right where O(now) says what the time is.
  - No conn of O(conns) may be in another file of C(/etc/ipsec.conf) or C(/etc/ipsec.d), nor be loaded in pluto without
    being in O(path). That has to be among the files that libreswan reads, and must not be somebody else's file.
  - No device of O(devices) may have the name of one that is no VTI device, nor of a VTI device that this collection did
    not make and that has other ends. No other VTI device that this collection did not make may have the same ends.
  - No mark of O(devices) may meet one that somebody else has, so that a packet could have both. That can be a conn in
    another file that libreswan loads by itself, a conn that only pluto knows, a VTI device that this collection did not
    make, or an outbound policy of the kernel. The packets of both would go by the policy that the kernel finds first.
    Conns with C(mark=-1), whose marks pluto makes up, are not compared before they are loaded.
extends_documentation_fragment:
  - route_based.vpn.attributes
  - route_based.vpn.attributes.action_group
requirements:
  - Linux with iproute2 and util-linux, as root
attributes:
  check_mode:
    support: full
  diff_mode:
    support: N/A
  idempotent:
    support: full
options:
  conns:
    description:
      - The names of the conns that will be written.
    type: list
    elements: str
    default: []
  path:
    description:
      - The file that will hold them, as O(route_based.vpn.ipsec_conn#module:path).
    type: path
    default: /etc/ipsec.d/route_based_vpn.conf
  devices:
    description:
      - The VTI devices that will be made, entries of O(route_based.vpn.vti_tunnel#module:tunnels). Their C(name),
        C(local), C(remote), C(link), C(state) and C(addresses) are looked at, and C(key), C(ikey) and C(okey). These
        may have the mask of a conn's mark, like V(5/0xff). What else they hold is left to that module.
    type: list
    elements: dict
    default: []
  now:
    description:
      - The controller's time in seconds since the epoch. Without it the clock is not checked.
    type: float
  clock_skew:
    description:
      - By how many seconds the host's clock may differ from O(now).
    type: int
    default: 300
  installs:
    description:
      - Whether the caller will install packages that are missing. pyroute2 and libreswan may be missing then on a host
        that has C(apt-get).
    type: bool
    default: true
  forwards:
    description:
      - Whether the host is to forward packets between tunnels and networks. It warns then where it does not.
    type: bool
    default: false
  open_files:
    description:
      - The limit of open files that C(ipsec.service) is to get. V(0) leaves it as it is.
    type: int
    default: 0
  listen_first:
    description:
      - Whether C(ipsec.service) is to get a command that has pluto listen before it loads the conns, without which
        libreswan 5 does not start with about a thousand conns.
    type: bool
    default: false
  none_allowed:
    description:
      - Whether it is no problem that the host has conns in O(path) and is to have none, with an empty O(conns).
    type: bool
    default: true
  fail:
    description:
      - Whether the module fails where there is a problem. With V(false) it returns RV(problems) alone.
    type: bool
    default: true
seealso:
  - module: route_based.vpn.vti_tunnel
  - module: route_based.vpn.ipsec_conn
"""

EXAMPLES = r"""
- name: Find out whether this host can become a gateway
  route_based.vpn.vpn_preflight:

- name: The same for what it is to get, and with its clock
  route_based.vpn.vpn_preflight:
    conns: [site-b]
    devices:
      - name: vti01
        local: 192.0.2.1
        remote: 198.51.100.1
    now: "{{ now().timestamp() }}"
    forwards: true

- name: Look only
  route_based.vpn.vpn_preflight:
    fail: false
  register: preflight

- name: Show which checks found something
  ansible.builtin.debug:
    msg: "{{ preflight.problems | map(attribute='check') | unique }}"
"""

RETURN = r"""
problems:
  description: Everything that is in the way. Where the module fails RV(msg) holds all of it, too.
  returned: always
  type: list
  elements: dict
  contains:
    check:
      description:
        - What was looked at, V(python), V(systemd), V(kernel), V(pyroute2), V(libreswan), V(ike), V(clock), V(file),
          V(conn), V(none), V(device), V(mark) or V(restart).
      type: str
      returned: always
      sample: kernel
    message:
      description: What is wrong, why, and what to do.
      type: str
      returned: always
      sample: >-
        kernel 6.1.0-18-amd64, device of kind vti, tried in a network namespace of its own: Error: Unknown device type;
        load the module ip_vti, or install the package with the kernel's extra modules
msg:
  description: All problems in one text.
  returned: when it fails
  type: str
  sample: >-
    2 problems: (1) libreswan 4.3 is older than 4.10, the oldest that the modules work with: upgrade it; (2) conn
    site-b: a foreign conn is in the way: /etc/ipsec.d/old.conf has one of this name, and libreswan would load the first
    that it meets; remove or rename one
warnings:
  description:
    - What lets the tunnels come up, and may keep packets from getting through. That is C(net.ipv4.ip_forward) of 0 with
      O(forwards=true), and C(net.ipv4.conf.all.rp_filter) of 1.
    - A policy rule by C(fwmark) that is none of this collection, or kube-proxy on the host (V(0x4000), V(0x8000)),
      whose packets have the mark of a tunnel and would go into it.
    - That pluto, as things are, could not start again. What it is to get by O(devices) may change that; where it does
      not, that is one of RV(problems).
  returned: when there are any
  type: list
  elements: str
  sample:
    - >-
      net.ipv4.ip_forward is 0: the host forwards no packet between the tunnels and the networks behind it; set it to 1
versions:
  description: What the host has.
  returned: always
  type: dict
  contains:
    libreswan:
      description: libreswan's version.
      type: str
      returned: when it is installed, else null
      sample: "4.10"
    pyroute2:
      description: pyroute2's version in the Python that runs the modules, or in the system's.
      type: str
      returned: when it is installed, else null
      sample: 0.7.2
    python:
      description: The version of the Python that runs the module.
      type: str
      returned: always
      sample: 3.11.2
    kernel:
      description: The kernel's release.
      type: str
      returned: always
      sample: 6.1.0-18-amd64
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.route_based.vpn.plugins.module_utils import _preflight, _run


def look(module: AnsibleModule) -> None:
    """Look at the host, and report."""
    want = _preflight.wanted(module.params)
    host = _preflight.look(module, want)
    problems = _preflight.problems(want, host)
    for warning in _preflight.warnings(want, host):
        module.warn(warning)
    versions = {name: getattr(host, name) for name in ("libreswan", "pyroute2", "python", "kernel")}
    result = {"changed": False, "problems": problems, "versions": versions}
    if problems and module.params["fail"]:
        module.fail_json(msg=_preflight.failure(problems), **result)
    module.exit_json(**result)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "conns": {"type": "list", "elements": "str", "default": []},
            "path": {"type": "path", "default": "/etc/ipsec.d/route_based_vpn.conf"},
            "devices": {"type": "list", "elements": "dict", "default": []},
            "now": {"type": "float"},
            "clock_skew": {"type": "int", "default": 300},
            "installs": {"type": "bool", "default": True},
            "forwards": {"type": "bool", "default": False},
            "open_files": {"type": "int", "default": 0},
            "listen_first": {"type": "bool", "default": False},
            "none_allowed": {"type": "bool", "default": True},
            "fail": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    # The programs' words, by which failures are told apart, in English.
    module.run_command_environ_update = {"LC_ALL": "C"}
    _run.guarded(module, look)


if __name__ == "__main__":
    main()
