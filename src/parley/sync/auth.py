"""Sessions from Auth, and what goes wrong on the way to one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx
from supabase_auth.errors import (
    AuthApiError,
    AuthError,
    AuthInvalidJwtError,
    AuthRetryableError,
    AuthSessionMissingError,
)

from parley.errors import AnswerRefused, SignInRequired, Unreachable
from parley.sync.session import Session

SERVER_ERROR = 500
RATE_LIMITED = 429
SIGN_IN = "Sign in again; the local copy and the outbox stay."


async def authenticate(ask: Callable[[], Any]) -> Session:
    """Ask Auth for a session. Raises SignInRequired, Unreachable, AnswerRefused."""
    try:
        answer = await ask()
    except AuthRetryableError as error:
        raise Unreachable(f"Auth did not answer: {error}.", "Try again.") from error
    except AuthApiError as error:
        if error.status >= SERVER_ERROR or error.status == RATE_LIMITED:
            raise Unreachable(f"Auth did not answer: {error}.", "Try again.") from error
        raise SignInRequired(f"Auth refused: {error}.", SIGN_IN) from error
    except (AuthInvalidJwtError, AuthSessionMissingError) as error:
        # What was given for a token is none.
        raise SignInRequired(f"Auth refused: {error}.", SIGN_IN) from error
    except (AuthError, httpx.HTTPError) as error:
        raise Unreachable(
            f"Auth did not answer: {error or type(error).__name__}.", "Try again."
        ) from error
    except Exception as error:
        # Whatever the library makes of an answer that makes no sense.
        raise AnswerRefused(
            f"Auth's answer makes no sense: {error or type(error).__name__}.", "Try again."
        ) from error
    if answer.session is None:
        raise SignInRequired("Auth gave no session.", SIGN_IN)
    try:
        return Session(
            access_token=answer.session.access_token,
            refresh_token=answer.session.refresh_token,
            # By the clock of this device, which may be wrong as long as it runs.
            expires_at=int(time.time()) + answer.session.expires_in,
            user_id=answer.session.user.id,
            email=answer.session.user.email or "",
        )
    except (AttributeError, TypeError, ValueError) as error:
        raise AnswerRefused("Auth's session makes no sense.", "Try again.") from error
