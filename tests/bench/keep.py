# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Puts measured tables into a document, between the marks of a section: keep.py DOCUMENT SECTION FILE..."""

import datetime
import platform
import sys
from pathlib import Path


def processor():
    """The machine's processor and how many of them."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(models)} x {models[0]}" if models else platform.machine()


def main():
    path, section, *files = sys.argv[1:]
    document = Path(path)
    today = datetime.datetime.now(datetime.UTC).date()
    tables = "\n\n".join(Path(file).read_text().strip() for file in files)
    text = f"Measured on {today}, on {processor()}.\n\n{tables}"
    begin, end = (f"<!-- {word} {section} -->" for word in ("begin", "end"))
    before, _mark, rest = document.read_text().partition(begin)
    _old, _mark, after = rest.partition(end)
    document.write_text(f"{before}{begin}\n{text}\n{end}{after}")
    print(text)


main()
