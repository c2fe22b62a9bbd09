"""A stand-in for Supabase's Realtime server, for one project on one machine.

Unmodified clients speak to it over WebSocket (both serializers) and REST. What it does is written
down in the protocol of the real server; how far it limits and loses is a matter of its profile.
"""

from __future__ import annotations

from parley.realtime.service import Realtime
from parley.realtime.settings import PROFILES, Profile, RealtimeSettings

__all__ = ["PROFILES", "Profile", "Realtime", "RealtimeSettings"]
