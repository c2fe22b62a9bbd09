"""Profiles of people whom steps name, and of those in doubt; pulls bring their own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence

from parley.errors import AnswerRefused, ApiError, SignInRequired
from parley.sync.change import Change
from parley.sync.errors import is_transient
from parley.sync.remote import Remote
from parley.sync.rows import Row
from parley.sync.store import Store

PROFILES_PER_CALL = 200
MOST_ASKED_FOR = 10_000
"""How many people out of sight are remembered, so that they are asked for once."""

logger = logging.getLogger(__name__)


class Profiles:
    """Whose profiles are to be fetched, and whose have been asked for."""

    def __init__(self, store: Store, remote: Remote, emit: Callable[[list[Change]], None]) -> None:
        self._store = store
        self._remote = remote
        self._emit = emit
        self._wanted: set[str] = set()
        self._asked_for: set[str] = set()

    @property
    def are_wanted(self) -> bool:
        """Tell whether there is something to fetch."""
        return bool(self._wanted or self._store.doubtful_people())

    def note(self, changes: Iterable[Change]) -> None:
        """Look for people in these changes whose profile is not here."""
        unknown = self._store.unknown_people(changes) - self._asked_for
        self._wanted |= set(sorted(unknown)[: MOST_ASKED_FOR - len(self._wanted)])

    async def fetch(self) -> None:
        """Fetch the profiles that are wanted. Raises Unreachable, SignInRequired."""
        doubtful = self._store.doubtful_people()
        for begin in range(0, len(doubtful), PROFILES_PER_CALL):
            chunk = doubtful[begin : begin + PROFILES_PER_CALL]
            rows = await self._ask(chunk)
            if rows is not None:
                self._tell(self._store.settle_profiles(chunk, rows))
        if doubtful:
            self._store.end_profile_doubts()
        while self._wanted:
            chunk = sorted(self._wanted)[:PROFILES_PER_CALL]
            rows = await self._ask(chunk)
            if rows is not None:
                self._tell(self._store.put_profiles(rows))
            # People who are out of sight are asked for once, as far as we remember.
            if len(self._asked_for) > MOST_ASKED_FOR:
                self._asked_for.clear()
            self._asked_for |= set(chunk)
            self._wanted -= set(chunk)

    async def _ask(self, user_ids: list[str]) -> Sequence[Row] | None:
        try:
            return await self._remote.profiles(user_ids)
        except AnswerRefused as error:
            logger.warning("names of people are missing: %r", error)
        except ApiError as error:
            if is_transient(error) or isinstance(error, SignInRequired):
                raise
            logger.warning("names of people are missing: %r", error)
        return None

    def _tell(self, changes: list[Change]) -> None:
        if changes:
            self._emit(changes)
