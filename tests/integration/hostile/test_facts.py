# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A gateway, or a fact cache, that says variables of this collection."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml
from conftest import NAMES, Site, conn, info


def hostile(path: Path) -> dict[str, t.Any]:
    """Facts that would have the controller write elsewhere, and others do something else."""
    return {
        **{"gateway_key_folder": str(path / "evil"), "site_report": str(path / "evil.html"), "status_page": "/none/x"},
        **{"inventory_hostname": "paris", "inventory_dir": str(path / "evil"), "gateway_no_log": False},
        **{"gateway_verify_timeout": 0, "gateway_rollback_after": 0, "site_hosts": "nobody", "vpn_canary": True},
        **{"vpn_networks": ["8.8.8.0/24"], "teardown": "yes", "gateway_plan": "plan {}"},
    }


def remember(site: Site, host: str, facts: dict[str, t.Any]) -> None:
    """Have a fact cache that holds what a host has said in an earlier run."""
    site.answer(host, setup={"ansible_facts": facts})
    (site.path / "gather.yml").write_text(yaml.safe_dump([{"hosts": host, "gather_facts": True, "tasks": []}]))
    assert site.run("gather.yml", cache=True).returncode == 0
    (site.path / "gather.yml").unlink()
    site.answer(host)


def test_facts_of_any_module_lead_the_controller_nowhere(site: Site) -> None:
    """The first that runs a module which is not ours is apt."""
    site.answer("berlin", all={"ansible_facts": hostile(site.path)})
    done = site.run("route_based.vpn.site", "-e", '{"site_waves": ["100%"]}')
    assert done.returncode != 0
    said = " ".join(done.stdout.split())
    assert "the facts of this host, which it has answered itself" in said
    assert "fatal: [berlin]" in said
    assert site.files() == {"inventory/hosts.yml", *(f"inventory/.vpn_keys/{name}.txt" for name in NAMES[1:])}
    assert not [name for name in NAMES if "ipsec_conn" in site.calls(name)]


def test_status_goes_on_for_all_others(site: Site) -> None:
    # "ipsec --version" is the first that is not of our modules.
    site.answer("berlin", command={"rc": 0, "stdout": "5.2", "ansible_facts": hostile(site.path)})
    done = site.run("route_based.vpn.status")
    assert done.returncode == 0
    assert site.files() == {"inventory/hosts.yml", "vpn_report.html"}
    page = (site.path / "vpn_report.html").read_text()
    assert "say gateway_key_folder, gateway_no_log, gateway_plan" in page


@pytest.mark.parametrize("playbook", ["site", "status", "teardown", "peer_sheets", "rotate_keys"])
def test_a_fact_cache_says_nothing(site: Site, playbook: str) -> None:
    remember(site, "berlin", hostile(site.path))
    done = site.run(f"route_based.vpn.{playbook}", cache=True)
    assert done.returncode != 0
    said = " ".join(done.stdout.split())
    assert "fatal: [berlin]" in said
    assert "say gateway_key_folder, gateway_no_log, gateway_plan" in said
    assert not [name for name in site.files() if "evil" in name]
    assert not {"vpn_checkpoint", "vpn_info", "ipsec_conn"} & {each for name in NAMES for each in site.calls(name)}


def test_facts_that_a_play_has_gathered_say_nothing(site: Site) -> None:
    facts = {"ansible_distribution": "Debian", "vpn_networks": ["8.8.8.0/24"]}
    site.answer("berlin", setup={"ansible_facts": facts})
    plays = [
        {"hosts": "gateways", "gather_facts": True, "tasks": []},
        {"import_playbook": "route_based.vpn.status"},
    ]
    (site.path / "play.yml").write_text(yaml.safe_dump(plays))
    done = site.run("play.yml")
    assert done.returncode != 0
    assert "say vpn_networks. Facts may not say that" in " ".join(done.stdout.split())
    # Those that only tell of the host do no harm.
    site.answer("berlin", setup={"ansible_facts": {"ansible_distribution": "Debian", "services": {"x": 1}}})
    done = site.run("play.yml", "-e", "site_drift=false")
    assert done.returncode == 0


def test_a_value_that_is_made_of_others_is_the_inventorys(site: Site) -> None:
    """Also where it is another host's, and named by nobody but the user."""
    tunnel = {
        **{"name": "x", "local": "192.0.2.1", "remote": "192.0.2.99", "mark": 99, "psk": "twenty bytes and some more"},
        "routes": "{{ hostvars['berlin'].behind_berlin }}",
    }
    site.write({"gateway_tunnels": [tunnel], "behind_berlin": ["10.9.0.0/24"]})
    site.answer("paris", vpn_info=info(conn("x")))
    remember(site, "berlin", {"behind_berlin": ["8.8.8.0/24"]})
    plays = [
        {
            "hosts": "paris",
            "gather_facts": False,
            "tasks": [
                {"ansible.builtin.set_fact": {"plan": "{{ lookup('route_based.vpn.sites', 'all') }}"}},
                {"ansible.builtin.debug": {"msg": "{{ plan }}"}},
                {"ansible.builtin.debug": {"msg": "{{ lookup('route_based.vpn.setting', 'gateway_tunnels') }}"}},
            ],
        }
    ]
    (site.path / "play.yml").write_text(yaml.safe_dump(plays))
    done = site.run("play.yml", cache=True)
    assert done.returncode == 0
    assert "10.9.0.0/24" in done.stdout
    assert "8.8.8.0/24" not in done.stdout
