# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.route_based.vpn.plugins.module_utils import _main_conf


def written(folder, **files):
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    return str(folder / "ipsec.conf"), str(folder / "own.conf")


def test_what_stands_around(tmp_path):
    main, own = written(
        tmp_path,
        ipsec_conf=f"config setup\n\tlogfile=/x #\ninclude {tmp_path}/*.conf2\ninclude {tmp_path}/own*\n",
        a_conf2='conn %default\n  esp = "aes_gcm256"   # mine\nconn other\n  left=1.1.1.1\n',
        b_conf2="conn %default\n  esp=unused\n  ike=x\nconn other\nconn more\n",
        own_conf="conn ours\n",
    )
    around = _main_conf.read(own, main)
    assert around.setup == ["logfile=/x"]
    assert around.defaults == {"esp": "aes_gcm256", "ike": "x"}
    assert around.default_files == [f"{tmp_path}/a.conf2", f"{tmp_path}/b.conf2"]
    assert around.conns == {"other": f"{tmp_path}/a.conf2", "more": f"{tmp_path}/b.conf2"}
    assert own in around.files


def test_our_file_is_read_though_it_does_not_exist_yet(tmp_path):
    main, own = written(tmp_path, ipsec_conf=f"include {tmp_path}/o*.conf\n")
    assert own in _main_conf.read(own, main).files


def test_a_file_that_is_not_included(tmp_path):
    main, own = written(tmp_path, ipsec_conf=f"include {tmp_path}/x*.conf\n")
    assert own not in _main_conf.read(own, main).files


def test_nothing_there(tmp_path):
    around = _main_conf.read(str(tmp_path / "own.conf"), str(tmp_path / "no.conf"))
    assert (around.conns, around.defaults, around.setup) == ({}, {}, [])


def test_files_that_include_each_other_end(tmp_path):
    main, own = written(tmp_path, ipsec_conf=f"include {tmp_path}/ipsec.conf\nconn a\n")
    assert _main_conf.read(own, main).conns == {"a": main}


def test_the_digest_is_that_of_the_words(tmp_path):
    digests = []
    for text in ("config setup\n  a=1\n", "config setup\n\n\ta=1 # x\n", "config setup\n  a=2\n"):
        main, own = written(tmp_path, ipsec_conf=text)
        digests.append(_main_conf.read(own, main).setup_digest)
    assert digests[0] == digests[1] != digests[2]


def test_includes_relative_to_the_file(tmp_path):
    main, own = written(tmp_path, ipsec_conf="include *.conf\n")
    assert _main_conf.includes(main, own)
    assert not _main_conf.includes(main, str(tmp_path / "own.secrets"))
    assert _main_conf.includes(str(tmp_path / "none"), own)
