"""The names of Realtime's profiles, for modules that do not import the Realtime server."""

from __future__ import annotations

from enum import StrEnum

from parley.errors import StackError


class RealtimeProfile(StrEnum):
    """The profiles of ``parley.realtime.PROFILES`` by name."""

    PLAIN = "plain"
    HOSTED = "hosted"
    LOSSY = "lossy"

    @classmethod
    def named(cls, name: str) -> RealtimeProfile:
        """Return the profile with this name. Raises StackError."""
        try:
            return cls(name)
        except ValueError as error:
            raise StackError(
                f"Realtime has no profile '{name}'.", f"Choose one of {', '.join(cls)}."
            ) from error
