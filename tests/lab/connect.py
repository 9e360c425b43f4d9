# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""connect.py FOLDER HOST PORT: opens a TCP connection inside the network of the lab in FOLDER, and hands it to the ssh
whose ProxyCommand (with ProxyUseFdpass) this is. ssh itself stays where it is, as does whoever runs it."""

import array
import ctypes
import os
import socket
import sys

folder, host, port = sys.argv[1:]
try:
    with open(f"{folder}/namespaces") as file:
        network = os.open(f"/proc/{int(file.read())}/ns/net", os.O_RDONLY)
except OSError:
    sys.exit(f"lab: no lab runs in {folder}: start one with molecule create (after molecule destroy), or tests/lab/up")
if ctypes.CDLL(None, use_errno=True).setns(network, 0):
    sys.exit(f"lab: cannot enter the lab's network: {os.strerror(ctypes.get_errno())}")
try:
    connection = socket.create_connection((host, int(port)), timeout=10)
    connection.setblocking(True)
except OSError as exc:
    sys.exit(f"lab: {host} port {port}: {exc}")
out = socket.socket(fileno=os.dup(1))
out.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [connection.fileno()]))])
