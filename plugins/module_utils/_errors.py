# Copyright (c) 2026, route_based.vpn contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The errors of this collection: raised anywhere, turned into fail_json() in one place, see _run.py."""

from __future__ import annotations

import typing as t

T = t.TypeVar("T")
R = t.TypeVar("R")


class VpnError(Exception):
    """Something that a person has to read; the message says what, why and what to do. C(result) is for programs."""

    result: t.Mapping[str, t.Any] = {}


class InputError(VpnError):
    """A value that is refused before anything is read or written.

    Arguments: where the value stands (C(tunnels[2] (vti01))), the option, the value itself, and the reason with the
    way out. Never pass a secret as the value.
    """

    def __init__(self, item: str, option: str, value: object, reason: str) -> None:
        self.item = item
        self.option = option
        self.reason = reason
        super().__init__(f"{item}: {option}={value!r}: {reason}" if option else f"{item}: {reason}")


class InputErrors(VpnError):
    """Every refused value of one call, so that a user repairs them all at once."""

    def __init__(self, errors: list[InputError]) -> None:
        self.errors = errors
        super().__init__("; ".join(str(error) for error in errors))


class Refusals:
    """Collects the refused values of one call; C(errors) stays empty where all is well."""

    def __init__(self) -> None:
        self.errors: list[InputError] = []

    def check(self, item: str, option: str, value: T, parse: t.Callable[[T], R], otherwise: R) -> R:
        """The parsed value, or C(otherwise) where C(parse) raises ValueError, whose text becomes the reason."""
        try:
            return parse(value)
        except ValueError as exc:
            self.refuse(item, option, value, str(exc))
            return otherwise

    def refuse(self, item: str, option: str, value: object, reason: str) -> None:
        """Remember one refused value."""
        self.errors.append(InputError(item, option, value, reason))

    def stop_if_any(self) -> None:
        """Raise InputErrors where a value was refused."""
        if self.errors:
            raise InputErrors(self.errors)


class StoreError(VpnError):
    """The kernel or pluto refused or failed: what was tried, on which item, and its own words."""
