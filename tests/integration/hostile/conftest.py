# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real ansible-playbook with the collection as users install it, against gateways that answer what a test says."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
NAMES = ("berlin", "paris", "rome")


def key(number: int) -> dict[str, t.Any]:
    """What an honest host answers of its key."""
    public = f"0s{chr(64 + number) * 60}"
    answer = {"changed": False, "type": "ecdsa", "action": "kept", "removed": [], "keyword": "ecdsakey"}
    return {**answer, "public_key": public, "ckaid": f"{number:02x}" * 20}


def conn(name: str, **more: t.Any) -> dict[str, t.Any]:
    """A conn as vpn_info shows it, where all is well."""
    number = name.rpartition("-")[2]
    device = {
        **{"name": f"vti{number}", "kind": "vti", "local": "192.0.2.1", "remote": "192.0.2.2", "ikey": 1, "okey": 1},
        **{"link": "", "mtu": 1400, "enabled": True, "addresses": [], "sysctls": {}, "owner": "route_based.vpn"},
        "unnumbered": None,
    }
    entry = {
        **{"name": name, "loaded": True, "established": True, "since": 1795471427, "in_bytes": 1, "out_bytes": 2},
        **{"local": "192.0.2.1", "remote": "192.0.2.2", "mark_in": None, "mark_out": None, "interface": f"vti{number}"},
        **{"routing": "", "ike_state": "established", "ike_sas": [], "last_error": None, "last_error_at": None},
        **{"instances": 0, "sas": [], "device": device, "routes": [], "ping": None},
    }
    return {**entry, **more}


def info(*conns: dict[str, t.Any]) -> dict[str, t.Any]:
    """What vpn_info answers."""
    restart = {"addresses": 2, "open_files": 1024, "problems": []}
    answer = {"changed": False, "conns": list(conns), "devices": [], "firewall": None, "routes": []}
    return {**answer, "restart": restart}


@dataclasses.dataclass
class Site:
    """A folder with an inventory, as README shows it, and hosts that lie."""

    path: Path
    collections: Path

    @property
    def inventory(self) -> Path:
        return self.path / "inventory"

    def write(self, variables: t.Optional[dict[str, t.Any]] = None, hosts: t.Sequence[str] = NAMES) -> None:
        """The inventory, with the same variables for all."""
        entries = {}
        for number, name in enumerate(hosts, start=1):
            folder = self.path / "hosts" / name
            folder.mkdir(parents=True, exist_ok=True)
            program = folder / "python"
            program.write_text(f"#!{sys.executable}\n" + (ROOT / "tests/integration/hostile/interpreter").read_text())
            program.chmod(0o755)
            entries[name] = {
                **{"vpn_site_id": number, "vpn_address": f"192.0.2.{number}", "vpn_networks": [f"10.0.{number}.0/24"]},
                **{"ansible_python_interpreter": str(folder / "python"), "ansible_remote_tmp": str(folder / "tmp")},
            }
            self.answer(name)
        common = {
            **{"ansible_connection": "local", "ansible_become": False, "gateway_firewall": "none"},
            **{"gateway_verify_timeout": 0, "gateway_rollback_after": 0},
            **(variables or {}),
        }
        self.inventory.mkdir(exist_ok=True)
        text = yaml.safe_dump({"gateways": {"hosts": entries, "vars": common}})
        (self.inventory / "hosts.yml").write_text(text)

    def answer(self, name: str, **answers: t.Any) -> None:
        """What a host answers, by module; its key is an honest one where nothing else is said."""
        number = NAMES.index(name) + 1
        whole = {"ipsec_hostkey": key(number), **answers}
        folder = self.path / "hosts" / name
        (folder / "answers.json").write_text(json.dumps(whole))
        (folder / "calls").write_text("")

    def calls(self, name: str) -> list[str]:
        """The modules that a host was told to run."""
        return (self.path / "hosts" / name / "calls").read_text().split()

    def run(self, playbook: str, *arguments: str, cache: bool = False) -> subprocess.CompletedProcess[str]:
        """Run a playbook of the collection, or a file."""
        environment = {
            **os.environ,
            **{"ANSIBLE_COLLECTIONS_PATH": str(self.collections), "ANSIBLE_NOCOLOR": "1", "HOME": str(self.path)},
            **{"PWD": str(self.path), "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml", "ANSIBLE_FORKS": "3"},
            **{"ANSIBLE_LOCALHOST_WARNING": "0", "ANSIBLE_DEVEL_WARNING": "0"},
        }
        if cache:
            environment.update(
                ANSIBLE_CACHE_PLUGIN="jsonfile", ANSIBLE_CACHE_PLUGIN_CONNECTION=str(self.path / "cache")
            )
        bin_folder = Path(os.environ.get("HOSTILE_TOOLS", ROOT / ".venv/bin"))
        command = [str(bin_folder / "ansible-playbook"), "-i", str(self.inventory), playbook, *arguments]
        done = subprocess.run(
            command, cwd=self.path, env=environment, capture_output=True, text=True, timeout=600, check=False
        )
        print(done.stdout, done.stderr, file=sys.stderr)
        return done

    def files(self) -> set[str]:
        """All that lies on the controller, without what Ansible keeps for itself and what the hosts are made of."""
        found = (path.relative_to(self.path) for path in self.path.rglob("*") if path.is_file())
        return {str(path) for path in found if path.parts[0] not in ("hosts", ".ansible", "cache")}


@pytest.fixture(scope="session")
def collections(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collection as users have it."""
    path = tmp_path_factory.mktemp("collections") / "new"
    subprocess.run([str(ROOT / "tests/install-collection"), str(path)], check=True, stdout=subprocess.DEVNULL)
    return path


@pytest.fixture
def site(tmp_path: Path, collections: Path) -> Site:
    """Three gateways that are honest yet."""
    found = Site(tmp_path, collections)
    found.write()
    return found
