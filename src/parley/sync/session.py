"""The session of an account, as it is kept between two runs."""

from __future__ import annotations

from uuid import UUID

from parley.wire import Row


class Session(Row):
    """Tokens of Auth. ``expires_at`` is in Unix seconds by the clock of this device.

    ``email`` is the address the account signed in with; empty when it is not known.
    """

    access_token: str
    refresh_token: str
    expires_at: int
    user_id: UUID
    email: str = ""
