# shellcheck shell=bash
# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Sourced in the folder of the collection: sets KERNEL_SITE, the PYTHONPATH with which the guest's Python finds the
# collection, ansible-core and pytest, but no pyroute2; fetch_pyroute2 VERSIONS puts one into .build/pyroute2-VERSION each.
mkdir -p .build/kernel/site
# The guest has a Python of its own version: link just what runs on any.
for path in .venv/lib/python3*/site-packages/{ansible,py.py,pytest,_pytest,pluggy,iniconfig,packaging,pygments,yaml}; do
  # One that is right is left alone: somebody else may be reading it.
  link=.build/kernel/site/${path##*/}
  [[ $(readlink "$link") == "$PWD/$path" ]] || ln -sfn "$PWD/$path" "$link"
done
# shellcheck disable=SC2034 # used where this is sourced
KERNEL_SITE=.build/kernel/site:$(tests/tree)

fetch_pyroute2() {
  local version
  for version in $1; do
    [[ ! -d .build/pyroute2-$version ]] || continue
    rm -rf ".build/new-$version"
    .venv/bin/pip install --quiet --no-deps --target ".build/new-$version" "pyroute2==$version"
    mv ".build/new-$version" ".build/pyroute2-$version"
  done
}
