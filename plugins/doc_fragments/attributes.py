# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules of this collection support, in the words that all of them share."""

from __future__ import annotations


class ModuleDocFragment:
    """The attributes of every module; a module that is different says so in its own documentation."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying the target.
    support: full
  diff_mode:
    description: Returns details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
    support: full
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no
        change.
      - This assumes that the system controlled or queried by the module has not changed in a relevant way.
    support: full
  platform:
    description: Target OS/families that can be operated against.
    support: full
    platforms: linux
"""

    # Use action_group together with the module's own name in meta/runtime.yml.
    ACTION_GROUP = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/route_based.vpn.vpn) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - route_based.vpn.vpn
"""

    # For the modules that speak to the kernel by netlink.
    PYROUTE2 = r"""
options: {}
requirements:
  - pyroute2 >= 0.7.2 (package C(python3-pyroute2) of the distribution)
  - Linux, as root
notes:
  - Where the Python that runs the module lacks pyroute2, the system's own Python is used if it has it.
"""
