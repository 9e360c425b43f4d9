# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.route_based.vpn.plugins.module_utils._errors import StoreError
from ansible_collections.route_based.vpn.plugins.module_utils._hostkey import decide
from ansible_collections.route_based.vpn.plugins.module_utils._nss import HostKey

A, B = HostKey("ecdsa", "a" * 40), HostKey("ecdsa", "b" * 40)
RSA, CERT = HostKey("rsa", "c" * 40), HostKey("rsa", "d" * 40, "gateway")


@pytest.mark.parametrize(
    ("keys", "kind", "ckaid", "replaces", "keep", "remove"),
    [
        ([], "ecdsa", None, None, None, ()),
        ([A], "ecdsa", None, None, A, ()),
        ([CERT], "rsa", None, None, None, ()),
        ([CERT, A], "ecdsa", None, None, A, ()),
        ([A, B], "ecdsa", B.ckaid, None, B, ()),
        # a rotation: begun, interrupted after the new key was made, and done
        ([A], "ecdsa", None, A.ckaid, None, (A,)),
        ([A, B], "ecdsa", None, A.ckaid, B, (A,)),
        ([B], "ecdsa", None, A.ckaid, B, ()),
        # to the other kind
        ([A], "rsa", None, A.ckaid, None, (A,)),
        ([A, RSA], "rsa", None, A.ckaid, RSA, (A,)),
        ([], "ecdsa", None, A.ckaid, None, ()),
    ],
)
def test_which_key_stays(keys, kind, ckaid, replaces, keep, remove):
    decision = decide(keys, kind, ckaid, replaces)
    assert (decision.keep, decision.remove) == (keep, remove)
    assert decision.changed is (keep is None or bool(remove))


@pytest.mark.parametrize(
    ("keys", "kind", "ckaid", "words"),
    [
        ([A, B], "ecdsa", None, "has 2 raw keys"),
        ([A], "rsa", None, f"replaces={A.ckaid}"),
        ([A], "ecdsa", "e" * 40, "there is no raw key"),
        ([CERT], "rsa", CERT.ckaid, "there is no raw key"),
        ([], "rsa", "e" * 40, "there are: none"),
    ],
)
def test_refused(keys, kind, ckaid, words):
    with pytest.raises(StoreError, match=words):
        decide(keys, kind, ckaid, None)
