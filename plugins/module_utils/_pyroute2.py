# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The parts of pyroute2 that read the kernel's messages; the only file that imports it.

C(import pyroute2) loads some 400 modules, most of them for things that have nothing to do with links and routes. What
is wanted here are three message classes, and they load in a sixth of the time when the package's C(__init__) is left
out.
"""

from __future__ import annotations

import importlib.machinery
import importlib.metadata
import sys
import traceback
import types
import typing as t

IMPORT_ERROR: t.Optional[str] = None
ORIGIN = ""


def _import_package_without_its_init() -> None:
    """Register pyroute2 as a package of which nothing has run, so that its submodules can be imported alone."""
    spec = importlib.machinery.PathFinder.find_spec("pyroute2")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("No module named 'pyroute2'")
    package = types.ModuleType("pyroute2")
    package.__path__ = list(spec.submodule_search_locations)
    package.__file__, package.__spec__ = spec.origin, spec
    sys.modules["pyroute2"] = package


def _import_messages() -> tuple[t.Any, ...]:
    from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg  # noqa: PLC0415
    from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg  # noqa: PLC0415
    from pyroute2.netlink.rtnl.rtmsg import rtmsg  # noqa: PLC0415

    return ifaddrmsg, ifinfmsg, rtmsg


def _load() -> tuple[t.Any, ...]:
    """The three message classes; raises ImportError."""
    if "pyroute2" not in sys.modules:
        _import_package_without_its_init()
        try:
            return _import_messages()
        except ImportError:
            # A version whose parts need the whole: slower, but right.
            for name in [name for name in sys.modules if name.partition(".")[0] == "pyroute2"]:
                del sys.modules[name]
        finally:
            # Whoever else imports pyroute2 in this process gets the real one.
            sys.modules.pop("pyroute2", None)
    return _import_messages()


try:
    ifaddrmsg, ifinfmsg, rtmsg = _load()
    ORIGIN = str(sys.modules[ifinfmsg.__module__].__file__)
except ImportError:
    IMPORT_ERROR = traceback.format_exc()
    ifaddrmsg = ifinfmsg = rtmsg = None


def installed() -> tuple[str, str]:
    """The version of pyroute2, or nothing where it has none, and a file of it."""
    try:
        # Debian 12's package calls itself "unknown" in pyroute2.__version__.
        return importlib.metadata.version("pyroute2"), ORIGIN
    except importlib.metadata.PackageNotFoundError:
        return "", ORIGIN
