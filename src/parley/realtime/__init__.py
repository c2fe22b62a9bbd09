"""A stand-in for Supabase's Realtime server, for one project on one machine.

Unmodified Supabase clients connect to it over WebSocket (both serializers) and REST. What it
answers, and where that differs from the hosted server, is in docs/realtime-protocol.md. A profile
(``plain``, ``hosted`` or ``lossy``) sets its limits and how many broadcasts it loses.

From the bottom up:

* ``settings``, ``metrics``, ``rate_counters``: profiles and limits, what is counted, and rates.
* ``protocol``: messages, serializers, WebSocket frames, the payload of a join.
* ``database``: connections to Postgres, queries, the partitions of `realtime.messages`.
* ``authorization``: tokens, and the rights that policies give.
* ``channel``: what happens on a joined topic.
* ``wal``: the reader of the write-ahead log. ``postgres_changes``: row changes of tables.
* ``socket``, ``rest``: the WebSocket and the HTTP endpoints.
* ``server``: all of it together.
"""

from __future__ import annotations

from parley.realtime.server import Realtime
from parley.realtime.settings import PROFILES, Profile, RealtimeSettings

__all__ = ["PROFILES", "Profile", "Realtime", "RealtimeSettings"]
