# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Whether the role's nftables table is what the role has loaded, as the role's own program finds it."""

from __future__ import annotations

import os
import typing as t

#: The program that the role deploys; the file that it loads is beside it, and ends in C(.nft).
PROGRAM = "/usr/local/libexec/route_based_vpn/firewall"
WATCH = "route-based-vpn-firewall-watch.service"
UNKNOWN = "unknown"
SITE = "run the playbook site for this host"
#: What each state of the table means for people; nothing where all is well.
PROBLEMS = {
    "loaded": "",
    "missing": f"the nftables table inet route_based_vpn is missing: nothing holds back clear packets but the guard "
    f"routes; {SITE}",
    "changed": f"the nftables table inet route_based_vpn was changed by something else than the role; {SITE}, and keep "
    "rules of your own in a table of your own",
    "outdated": f"the nftables table inet route_based_vpn is older than its file; {SITE}",
    UNKNOWN: f"the nftables table inet route_based_vpn cannot be compared with what the role has loaded; {SITE}",
}
UNWATCHED = f"{WATCH} does not run, so the nftables table stays away when something flushes it; {SITE}"

Run = t.Callable[[list[str]], tuple[int, str, str]]


def look(run: Run, program: str = PROGRAM) -> t.Optional[dict[str, t.Any]]:
    """C(state), whether it is C(watched), and the C(problems) for people; None where the role has no table here."""
    file = f"{program}.nft"
    if not os.path.exists(file):
        return None
    state = _state(run, program, file)
    watched = run(["systemctl", "is-active", "--quiet", WATCH])[0] == 0
    problems = [text for text in (PROBLEMS[state], "" if watched else UNWATCHED) if text]
    return {"state": state, "watched": watched, "problems": problems}


def _state(run: Run, program: str, file: str) -> str:
    if not os.access(program, os.X_OK):
        return UNKNOWN
    rc, out, _err = run([program, "--state", file])
    said = out.strip()
    return said if rc == 0 and said in PROBLEMS else UNKNOWN
