# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What scale.py measured as tables, a section for each shape: scale_table.py FOLDER. Fails where a step has failed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

TITLES = {"sites": "Hub and spoke, by sites", "tunnels": "`gateway_tunnels`, each with a /30 of its own"}
VERSIONS = {"debian12": "4.10", "debian13": "5.2"}


def main():
    folder = Path(sys.argv[1])
    rows = [row for path in sorted(folder.glob("*.json")) for row in json.loads(path.read_text())]
    lines = []
    for shape in dict.fromkeys(row["shape"] for row in rows):
        lines += [f"### {TITLES[shape]}", ""]
        lines += ["| tunnels | libreswan | step | wall, s | CPU of the controller, s | CPU of the node, s | result |"]
        lines += ["|---|---|---|---|---|---|---|"]
        for row in rows:
            if row["shape"] == shape:
                cells = [
                    f"{row['n']:,}",
                    VERSIONS[row["image"]],
                    row["step"],
                    *(f"{row[k]:.1f}" for k in ("wall", "here", "there")),
                ]
                lines.append(f"| {' | '.join([*cells, row['result']])} |")
        lines.append("")
    (folder / "table.md").write_text("\n".join(lines))
    failed = [row for row in rows if row["result"].startswith("FAILED")]
    early = (folder / "failed").read_text().splitlines() if (folder / "failed").exists() else []
    for row in failed:
        print(f"{row['image']} {row['shape']} {row['n']} {row['step']}: {row['result']}")
    print(*early, f"{len(rows) - len(failed)} passed, {len(failed) + len(early)} failed", sep="\n")
    sys.exit(bool(failed or early or not rows))


main()
