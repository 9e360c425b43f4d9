# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
#
# What the lab's scripts share: where things are, how they speak, and how a part of the cache is built.

LAB_HOME=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
LAB_ROOT=$(cd "$LAB_HOME/../.." && pwd)
LAB_CACHE=${LAB_CACHE:-$LAB_ROOT/.lab}
# How long to wait, in seconds, for what takes a few on an idle machine: the one number to raise on a slow one.
export LAB_PATIENCE=${LAB_PATIENCE:-300}
# shellcheck disable=SC2034 # used where this is sourced
LAB_GUEST_IP=100.64.255.2

# COMMAND=PACKAGE of what the lab takes from the machine, and of what its own kernel is compiled with.
# shellcheck disable=SC2034 # used where this is sourced
LAB_COMMANDS=(mmdebstrap=mmdebstrap ethtool=ethtool ip=iproute2 ssh=openssh-client)
# shellcheck disable=SC2034 # used where this is sourced
LAB_COMPILER=(gcc='gcc libc6-dev' make=make flex=flex bison=bison bc=bc xz=xz-utils strip=binutils)

say() { printf 'lab: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
# From inside a part's build, whose output goes into a log.
progress() { say "$*" 2>&3; }

need_root() { [ "$(id -u)" = 0 ] || die "needs root: it makes namespaces, mounts and a tap device. Run it as root."; }

# need_commands COMMAND='PACKAGE...'...: installs the packages whose command is missing, in one go.
need_commands() {
    local pair missing=()
    for pair; do
        # shellcheck disable=SC2206 # a command may need several packages
        command -v "${pair%%=*}" >/dev/null || missing+=(${pair#*=})
    done
    [ ${#missing[@]} = 0 ] && return
    command -v apt-get >/dev/null || die "needs ${missing[*]} and this machine has no apt-get: install them yourself."
    say "installing ${missing[*]} ..."
    { apt-get -qq update && apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "${missing[@]}"; } \
        </dev/null >"$LAB_CACHE/apt.log" 2>&1 || die "apt-get could not install ${missing[*]}: see $LAB_CACHE/apt.log"
}

# process_identity PID: the process and when it started, as another one may get its number.
process_identity() { echo "$1 $(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20)"; }

# session_lives FOLDER: is the lab of this session's folder still there?
session_lives() {
    local identity
    identity=$(cat "$1/pid" 2>/dev/null) && [ "$identity" = "$(process_identity "${identity% *}")" ]
}

# session_remove FOLDER: what is left of a session that has ended. An ssh connection from outside would keep the lab's
# network in being until its time is up.
session_remove() {
    local socket
    for socket in "$1"/ssh-*; do
        [ ! -S "$socket" ] || timeout 5 ssh -F none -o "ControlPath=$socket" -O exit lab 2>/dev/null || true
    done
    rm -rf "$1"
}

# The kernel is the machine's own where it can make a VTI device and podman is there, else User-Mode Linux.
lab_backend() {
    if [ -n "${LAB_BACKEND:-}" ]; then
        echo "$LAB_BACKEND"
    elif command -v podman >/dev/null &&
        unshare --net ip link add vti9 type vti local 192.0.2.1 remote 192.0.2.2 key 1 2>/dev/null; then
        echo native
    else
        echo uml
    fi
}

# shellcheck disable=SC2016 # apt-get expands them
configured_mirror() {
    apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(SITE)' 'Created-By: Packages' |
        sed -n '/^Debian|Debian|/{s///p;q}'
}

# The part of the cache that the guest's kernel comes from. LAB_KERNEL=packaged is there in seconds instead of minutes, and
# has no nftables and no xfrm interfaces.
lab_kernel() {
    case ${LAB_KERNEL:-own} in
    packaged) echo kernel ;;
    own) echo own-kernel ;;
    *) die "LAB_KERNEL=$LAB_KERNEL is neither packaged nor own" ;;
    esac
}

# The Debian mirror of the machine's own apt configuration.
lab_mirror() {
    local site=${LAB_MIRROR:-}
    [ -n "$site" ] || site=$(configured_mirror)
    # A machine whose package lists were taken away names none before it has them again.
    [ -n "$site" ] || { apt-get -qq update >&2 && site=$(configured_mirror); }
    [ -n "$site" ] || die "no Debian mirror in this machine's apt configuration (run apt-get update, or set LAB_MIRROR to its URL)"
    echo "$site"
}

# guest_enter FOLDER: the guest's root as FOLDER/root, writable, without touching the cache; for a mount namespace of
# one's own. /dev and /sys are the machine's.
guest_enter() {
    local top=$1 root=$1/root
    mkdir -p "$top"
    mount -t tmpfs tmpfs "$top"
    mkdir "$top/upper" "$top/work" "$root"
    mount -t overlay overlay -o "lowerdir=$LAB_CACHE/guest/root,upperdir=$top/upper,workdir=$top/work" "$root"
    mount --bind /dev "$root/dev"
    mount --bind /sys "$root/sys"
    mount -t proc proc "$root/proc"
    mount -t tmpfs tmpfs "$root/run"
}

# part_ready NAME: is this part of the cache whole and made by today's recipe?
part_ready() { [ "$(cat "$LAB_CACHE/$1/.recipe" 2>/dev/null)" = "$(part_recipe "$1")" ]; }

# The recipe of a part is its build script and what the script reads; a change of either builds it anew.
part_recipe() {
    local files=("$LAB_HOME/build/$1" "$LAB_HOME/build/debian")
    [ ! -f "$LAB_HOME/build/$1.config" ] || files+=("$LAB_HOME/build/$1.config")
    cat "${files[@]}" | sha256sum | cut -c 1-16
}

# part_build NAME DESCRIPTION: runs build/NAME FOLDER; FOLDER takes its place in the cache only when it is whole.
# The build has mount and process namespaces of its own: whatever ends it, no mount and no process stays.
part_build() {
    local name=$1 description=$2 start=$SECONDS new="$LAB_CACHE/new/$1"
    say "$description ..."
    rm -rf "${new:?}"
    mkdir -p "$new"
    unshare --mount --pid --fork --kill-child --mount-proc "$LAB_HOME/build/$name" "$new" \
        </dev/null 3>&2 >"$LAB_CACHE/$name.log" 2>&1 || {
        tail -n 20 "$LAB_CACHE/$name.log" >&2
        die "$description: failed, the whole log is $LAB_CACHE/$name.log"
    }
    part_recipe "$name" >"$new/.recipe"
    rm -rf "${LAB_CACHE:?}/$name"
    mv "$new" "$LAB_CACHE/$name"
    say "$description: done in $((SECONDS - start)) s"
}
