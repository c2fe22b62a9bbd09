"""Who is there: the state of a topic's presence and the difference that each change makes.

A presence is one per channel; several channels may share a key, each with a meta of its own.
Shapes: REALTIME 4, Phoenix's `presence.ex`.
"""

from __future__ import annotations

import base64
import itertools
import os
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TypeAlias

from parley.realtime.channel import Key
from parley.realtime.messages import Json

State: TypeAlias = dict[str, Json]
"""``{key: {"metas": [{"phx_ref": …, …tracked fields}]}}``"""

Diff: TypeAlias = dict[str, Json]
"""``{"joins": State, "leaves": State}``; both are always there."""

REF_BYTES = 12


def make_refs() -> Callable[[], str]:
    """A source of references: 16 characters, none of them twice."""
    prefix = os.urandom(REF_BYTES - 8)
    counter = itertools.count()

    def next_ref() -> str:
        return base64.urlsafe_b64encode(prefix + next(counter).to_bytes(8)).decode()

    return next_ref


@dataclass(frozen=True, slots=True)
class _Tracked:
    key: str
    payload: dict[str, Json]
    meta: dict[str, Json]


class Roster:
    """The presence of one topic."""

    def __init__(self, next_ref: Callable[[], str]) -> None:
        self._next_ref = next_ref
        self._tracked: dict[Hashable, _Tracked] = {}

    def __bool__(self) -> bool:
        return bool(self._tracked)

    def state(self) -> State:
        """Everybody who is there."""
        state: State = {}
        for tracked in self._tracked.values():
            state.setdefault(tracked.key, {"metas": []})["metas"].append(tracked.meta)
        return state

    def track(self, owner: Hashable, key: str, payload: dict[str, Json]) -> Diff | None:
        """Note a presence, or replace the one the owner had. None when nothing has changed."""
        before = self._tracked.get(owner)
        if before is not None and before.payload == payload:
            return None
        meta = payload | {"phx_ref": self._next_ref()}
        leaves: State = {}
        if before is not None:
            meta["phx_ref_prev"] = before.meta["phx_ref"]
            leaves = _state_of(before)
        tracked = _Tracked(key, payload, meta)
        self._tracked[owner] = tracked
        return {"joins": _state_of(tracked), "leaves": leaves}

    def untrack(self, owner: Hashable) -> Diff | None:
        """Forget the owner's presence. None when there was none."""
        before = self._tracked.pop(owner, None)
        return None if before is None else {"joins": {}, "leaves": _state_of(before)}


class Rosters:
    """The presence of all topics. A roster exists while somebody is on it."""

    def __init__(self) -> None:
        self._next_ref = make_refs()
        self._rosters: dict[Key, Roster] = {}

    def state(self, topic: Key) -> State:
        """Everybody who is there."""
        roster = self._rosters.get(topic)
        return {} if roster is None else roster.state()

    def track(self, topic: Key, owner: Hashable, key: str, payload: dict[str, Json]) -> Diff | None:
        """See ``Roster.track``."""
        roster = self._rosters.setdefault(topic, Roster(self._next_ref))
        return roster.track(owner, key, payload)

    def untrack(self, topic: Key, owner: Hashable) -> Diff | None:
        """See ``Roster.untrack``."""
        roster = self._rosters.get(topic)
        diff = None if roster is None else roster.untrack(owner)
        if not roster:
            self._rosters.pop(topic, None)
        return diff


def _state_of(tracked: _Tracked) -> State:
    return {tracked.key: {"metas": [tracked.meta]}}
