"""The settings of a Realtime server: its secret and keys, and its profile.

A profile says what the server limits and how many broadcasts from the database it loses:

* ``plain`` loses nothing while it runs, and limits only what one client may take from the others.
  It is for tests and daily work.
* ``hosted`` has the limits and delays of a hosted project on the free plan.
* ``lossy`` breaks its connection to the database every few seconds, loses what is committed
  meanwhile, and drops a tenth of the rest. Test with it that your app catches up.

docs/realtime-protocol.md lists the limits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits for clients. None switches a limit off; times are seconds, sizes bytes."""

    private_only: bool = False
    """Refuse public channels, as a project does where *Allow public access* is off."""
    connections: int | None = None
    channels_per_connection: int | None = None
    frames_per_second: float | None = None
    """Frames from one client, on average; a client that sends more is told and cut off."""
    joins_per_second: float | None = None
    events_per_second: float | None = None
    presence_per_second: float | None = None
    presence_calls: int | None = None
    """Presence events that one channel may send within ``presence_window_s``."""
    presence_window_s: float = 30.0
    payload_bytes: int = 3_000 * 1000 + 500
    frame_bytes: int = 5_000_000
    """The largest frame a client may send; a larger one closes its socket (1009)."""
    unsent_bytes: int = 8_000_000
    """A client that leaves more than this unread has its socket closed (1013)."""
    idle_s: float = 60.0
    """A socket that sends no frame for this time is closed."""
    channelless_s: float | None = None
    """A socket that has joined no channel for this time is closed."""
    connect_error_delay_s: float = 0.0
    """How long a refused connection waits for its answer."""
    channel_error_delay_s: float = 0.0
    """How long a refused join waits for its answer."""
    access_token_throttle_s: float = 0.0
    """A channel's new tokens are held back for this time after the last one was applied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """How the server reads the WAL, and what it loses on purpose."""

    permanent: bool = True
    """Keep the slot over reconnects, so that nothing is lost; otherwise make a new slot."""
    on_first_join: bool = False
    """Connect when the first channel is joined instead of at the start."""
    ready_after_s: float = 0.0
    """Drop the rows that arrive in this time after each connection."""
    reconnect_every_s: float | None = None
    """Break the connection after a random time with this mean."""
    drop_share: float = 0.0
    """The share of rows to drop, 0 to 1."""
    retry_s: float = 0.2
    """The wait after a failed connection. It doubles with each failure up to ``retry_max_s``."""
    retry_max_s: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A name for a set of limits and a way to read the WAL."""

    name: str
    limits: Limits = field(default_factory=Limits)
    capture: Capture = field(default_factory=Capture)


FAIR = Limits(channels_per_connection=1000, frames_per_second=500.0, channelless_s=600.0)
"""Limits that keep one client from slowing down the others. One client gets as many frames as a
whole project on a paid plan, and ten times the channels that a client has on any plan."""

PLAIN = Profile(name="plain", limits=FAIR)

HOSTED = Profile(
    name="hosted",
    limits=Limits(
        connections=200,
        channels_per_connection=100,
        frames_per_second=100,
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
    limits=FAIR,
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
    """The settings of one ``Realtime``.

    ``database_url`` must belong to a superuser. ``api_keys`` maps opaque keys
    (``sb_publishable_…``) to their JWTs. ``slot`` is the beginning of the replication slot's name;
    give two servers on one database different ones.
    """

    database_url: str
    jwt_secret: str
    api_keys: Mapping[str, str] = field(default_factory=dict)
    profile: Profile = PLAIN
    slot: str = "parley_realtime"

    def __repr__(self) -> str:
        return f"RealtimeSettings(profile={self.profile.name!r})"
