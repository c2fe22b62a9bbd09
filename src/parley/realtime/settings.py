"""How a Realtime server behaves: whom it trusts, what it limits, how much it loses.

Three profiles. ``plain`` limits nothing and loses nothing while it lives: for tests and daily work.
``hosted`` has the limits and delays of a hosted project on the free plan. ``lossy`` is a bad day:
the slot reconnects, what is committed meanwhile is gone, and a share of database events is dropped.
Numbers: REALTIME 1.9 and 7, Realtime's `runtime.exs`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a client may do. None switches a limit off; times are seconds, sizes bytes."""

    private_only: bool = False
    """Refuse channels that are not private, as a project without public access does."""
    connections: int | None = None
    channels_per_connection: int | None = None
    joins_per_second: float | None = None
    events_per_second: float | None = None
    presence_per_second: float | None = None
    presence_calls: int | None = None
    """Calls of one channel within ``presence_window_s``."""
    presence_window_s: float = 30.0
    payload_bytes: int = 3_000 * 1000 + 500
    frame_bytes: int = 5_000_000
    """The largest frame a client may send; a larger one closes its socket (1009)."""
    unsent_bytes: int = 8_000_000
    """What a slow client may leave unread before its socket is closed."""
    idle_s: float = 60.0
    """A socket from which no frame came for so long is closed."""
    channelless_s: float | None = None
    """A socket without a channel for so long is closed."""
    connect_error_delay_s: float = 0.0
    channel_error_delay_s: float = 0.0
    access_token_throttle_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """How rows are taken out of the WAL."""

    permanent: bool = True
    """Keep the slot over reconnects, so that nothing is lost meanwhile; else start anew."""
    on_first_join: bool = False
    """Connect when the first channel is joined, and not before."""
    ready_after_s: float = 0.0
    """Events of the first so many seconds of each connection are dropped."""
    reconnect_every_s: float | None = None
    """Break the connection after a random time of this mean."""
    drop_share: float = 0.0
    """The share of database events that are dropped, 0 to 1."""
    retry_s: float = 0.2
    """The wait after a failed connection; it doubles up to ``retry_max_s``."""
    retry_max_s: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A named set of limits and a way of capturing."""

    name: str
    limits: Limits = field(default_factory=Limits)
    capture: Capture = field(default_factory=Capture)


PLAIN = Profile(name="plain")

HOSTED = Profile(
    name="hosted",
    limits=Limits(
        connections=200,
        channels_per_connection=100,
        joins_per_second=100,
        events_per_second=100,
        presence_per_second=20,
        presence_calls=5,
        payload_bytes=256 * 1000 + 500,
        channelless_s=600.0,
        connect_error_delay_s=2.0,
        channel_error_delay_s=5.0,
        access_token_throttle_s=10.0,
    ),
    capture=Capture(permanent=False, on_first_join=True, retry_s=5.0, retry_max_s=300.0),
)

LOSSY = Profile(
    name="lossy",
    capture=Capture(
        permanent=False,
        on_first_join=True,
        ready_after_s=0.5,
        reconnect_every_s=5.0,
        drop_share=0.1,
    ),
)

PROFILES: Mapping[str, Profile] = {each.name: each for each in (PLAIN, HOSTED, LOSSY)}
"""The profiles by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RealtimeSettings:
    """What a ``Realtime`` needs to know.

    ``database_url`` is a superuser's, as the real server has one. ``api_keys`` maps an opaque key
    (``sb_publishable_…``) to the JWT it stands for. ``slot`` begins the name of the replication
    slot; two servers of one database need two.
    """

    database_url: str
    jwt_secret: str
    api_keys: Mapping[str, str] = field(default_factory=dict)
    profile: Profile = PLAIN
    slot: str = "parley_realtime"

    def __repr__(self) -> str:
        return f"RealtimeSettings(profile={self.profile.name!r})"
