"""The presence of each topic: the people on it, and the difference that each change makes.

Each channel tracks at most one presence. Several channels may use the same key (one person with
two devices); the key then has one meta for each. The shapes are those of Phoenix Presence.
"""

from __future__ import annotations

import base64
import itertools
import os
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TypeAlias

from parley.realtime.protocol.messages import Json, TopicKey

PresenceState: TypeAlias = dict[str, Json]
"""``{key: {"metas": [{"phx_ref": …, …tracked fields}]}}``"""

PresenceDiff: TypeAlias = dict[str, Json]
"""``{"joins": PresenceState, "leaves": PresenceState}``; both keys are always present."""

REF_BYTES = 12


def make_refs() -> Callable[[], str]:
    """Return a function that makes references of 16 characters, a different one at each call."""
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
    """The presence on one topic."""

    def __init__(self, next_ref: Callable[[], str]) -> None:
        self._next_ref = next_ref
        self._tracked: dict[Hashable, _Tracked] = {}

    def __bool__(self) -> bool:
        return bool(self._tracked)

    def state(self) -> PresenceState:
        """Everybody who is present, as ``presence_state`` shows it."""
        state: PresenceState = {}
        for tracked in self._tracked.values():
            state.setdefault(tracked.key, {"metas": []})["metas"].append(tracked.meta)
        return state

    def track(self, owner: Hashable, key: str, payload: dict[str, Json]) -> PresenceDiff | None:
        """Add the owner's presence or replace it. Returns None when the payload is the same."""
        before = self._tracked.get(owner)
        if before is not None and before.payload == payload:
            return None
        meta = payload | {"phx_ref": self._next_ref()}
        leaves: PresenceState = {}
        if before is not None:
            meta["phx_ref_prev"] = before.meta["phx_ref"]
            leaves = _state_of(before)
        tracked = _Tracked(key, payload, meta)
        self._tracked[owner] = tracked
        return {"joins": _state_of(tracked), "leaves": leaves}

    def untrack(self, owner: Hashable) -> PresenceDiff | None:
        """Remove the owner's presence. Returns None when there was none."""
        before = self._tracked.pop(owner, None)
        return None if before is None else {"joins": {}, "leaves": _state_of(before)}


class Rosters:
    """The presence on all topics. A topic has a roster while somebody is on it."""

    def __init__(self) -> None:
        self._next_ref = make_refs()
        self._rosters: dict[TopicKey, Roster] = {}

    def state(self, topic: TopicKey) -> PresenceState:
        """Everybody who is present, as ``presence_state`` shows it."""
        roster = self._rosters.get(topic)
        return {} if roster is None else roster.state()

    def track(
        self, topic: TopicKey, owner: Hashable, key: str, payload: dict[str, Json]
    ) -> PresenceDiff | None:
        """See ``Roster.track``."""
        roster = self._rosters.setdefault(topic, Roster(self._next_ref))
        return roster.track(owner, key, payload)

    def untrack(self, topic: TopicKey, owner: Hashable) -> PresenceDiff | None:
        """See ``Roster.untrack``."""
        roster = self._rosters.get(topic)
        diff = None if roster is None else roster.untrack(owner)
        if not roster:
            self._rosters.pop(topic, None)
        return diff


def _state_of(tracked: _Tracked) -> PresenceState:
    return {tracked.key: {"metas": [tracked.meta]}}
