"""Which topics an account listens to: names end with an epoch, and old names fall silent."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Set

from parley.models import RoomsRow
from parley.sync.socket import LIVE, TENANT
from parley.sync.steps import HeadsByRoom


class Topics:
    """The topics of one account and of its open rooms, under the epochs known last."""

    def __init__(
        self,
        me: str,
        rooms: Set[str],
        room_row: Callable[[str], RoomsRow | None],
        tenants: Callable[[], Iterable[str]],
    ) -> None:
        """``rooms`` are those that are open at any time.

        ``tenants`` returns those whose dashboards are listened to.
        """
        self._me = me
        self._rooms = rooms
        self._room_row = room_row
        self._tenants = tenants
        self._epochs: dict[str | None, int] = {}
        self._quiet_until: dict[str, float] = {}

    @property
    def are_known(self) -> bool:
        """Tell whether there is an epoch of the own topic."""
        return None in self._epochs

    @property
    def user(self) -> str:
        """The topic of the own stream."""
        return f"user:{self._me}:{self._epochs.get(None)}"

    def live(self, room_id: str) -> str:
        """The topic on which members of a room speak to each other."""
        return f"{LIVE}{room_id}:{self._epochs.get(room_id)}"

    def wanted(self) -> dict[str, str | None]:
        """The topics to hold, with the room of each; None for what is of no room."""
        wanted: dict[str, str | None] = {self.user: None} if self.are_known else {}
        for room_id in self._rooms & self._epochs.keys():
            row = self._room_row(room_id)
            is_closed = row is not None and row.is_closed
            if not is_closed and self._is_tried(room_id):
                wanted[self.live(room_id)] = room_id
            if row is not None and row.is_large:
                wanted[f"room:{room_id}:{self._epochs[room_id]}"] = room_id
        for tenant_id in self._tenants():
            if self._is_tried(tenant_id):
                wanted[f"{TENANT}{tenant_id}:dashboard"] = None
        return wanted

    def take_heads(self, heads: HeadsByRoom) -> None:
        """Take the epochs of all streams."""
        self._epochs = {room_id: head.epoch for room_id, head in heads.rooms.items()}
        self._epochs[None] = heads.user.epoch

    def move(self, room_id: str | None, epoch: int) -> None:
        """Take the next epoch of a room, or of the own stream."""
        self._epochs[room_id] = epoch

    def rest(self, owner_id: str, seconds: float) -> None:
        """Leave the live topic of a room, or a tenant's dashboard, alone for a while."""
        self._quiet_until[owner_id] = time.monotonic() + seconds

    def forget(self, room_id: str) -> None:
        """A room was closed: when it is opened again, its live topic is tried at once."""
        self._quiet_until.pop(room_id, None)

    def _is_tried(self, owner_id: str) -> bool:
        return time.monotonic() >= self._quiet_until.get(owner_id, 0)
