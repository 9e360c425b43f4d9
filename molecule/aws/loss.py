# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""loss FILE...: the longest time without an answer in each output of ping -D, in seconds, with the file's name."""

import re
import sys

for path in sys.argv[1:]:
    with open(path, encoding="ascii", errors="replace") as file:
        times = [float(x) for x in re.findall(r"^\[([0-9.]+)\] [0-9]+ bytes from", file.read(), re.MULTILINE)]
    longest = max((after - before for before, after in zip(times, times[1:])), default=-1.0)
    print(f"{path.rpartition('/')[2]} {longest:.1f}")
