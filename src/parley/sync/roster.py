"""Who is on a live topic, as the server tells it about things that other members made up.

Of everything that people track, the keys alone are kept: they are ids of users, or not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeGuard

MOST_PEOPLE = 10_000
MOST_DEVICES = 100
"""Devices of one person that are told apart."""
USER_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MOST_REF = 64


class Roster:
    """The people on one topic, each with the references of their devices."""

    def __init__(self) -> None:
        self._refs: dict[str, set[str]] = {}

    @property
    def people(self) -> frozenset[str]:
        """The ids under which devices appear; anybody on the topic may appear under any."""
        return frozenset(self._refs)

    def replace(self, state: Any) -> None:
        """Take the state of a topic, ``{key: {"metas": [{"phx_ref": …}]}}``."""
        self._refs.clear()
        for person, refs in devices(state):
            self._come(person, refs)

    def apply(self, diff: Any) -> None:
        """Take a difference, ``{"joins": state, "leaves": state}``."""
        if not isinstance(diff, dict):
            return
        for person, refs in devices(diff.get("joins")):
            self._come(person, refs)
        for person, refs in devices(diff.get("leaves")):
            left = self._refs.get(person, set())
            left -= refs
            if not left:
                self._refs.pop(person, None)

    def _come(self, person: str, refs: set[str]) -> None:
        if refs and (person in self._refs or len(self._refs) < MOST_PEOPLE):
            known = self._refs.setdefault(person, set())
            known.update(sorted(refs - known)[: MOST_DEVICES - len(known)])


def is_user_id(value: Any) -> TypeGuard[str]:
    """Tell whether something from outside has the form of a user's id."""
    return isinstance(value, str) and USER_ID.fullmatch(value) is not None


def devices(state: Any) -> Iterator[tuple[str, set[str]]]:
    """Read a presence state, leaving out whatever makes no sense."""
    if not isinstance(state, dict):
        return
    for key, entry in state.items():
        metas = entry.get("metas") if isinstance(entry, dict) else None
        if is_user_id(key) and isinstance(metas, list):
            refs = (meta.get("phx_ref") for meta in metas if isinstance(meta, dict))
            yield key, {ref for ref in refs if isinstance(ref, str) and len(ref) <= MOST_REF}
