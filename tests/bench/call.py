# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a module with the arguments of a JSON file, as Ansible does but for the transport: call.py MODULE FILE."""

import importlib
import sys
from pathlib import Path

from ansible.module_utils import basic

name, path = sys.argv[1:]
module = importlib.import_module(f"ansible_collections.route_based.vpn.plugins.modules.{name}")
basic._ANSIBLE_ARGS = b'{"ANSIBLE_MODULE_ARGS": ' + Path(path).read_bytes() + b"}"
basic._ANSIBLE_PROFILE = "legacy"
module.main()
