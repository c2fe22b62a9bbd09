"""Reading the tokens that clients present: signature, ``exp``, ``role``.

The messages are Realtime's own, because clients and people match on them (REALTIME 1.2, 1.6, 1.8).
"""

from __future__ import annotations

import base64
import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import jwt

ALGORITHMS = ["HS256", "HS384", "HS512"]


class TokenError(Exception):
    """A token that is refused.

    ``code`` is the code of a join refusal, ``text`` the sentence; ``handshake`` is the sentence
    at the door, where an expired token is told without the seconds.
    """

    def __init__(self, code: str, text: str, handshake: str | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.handshake = handshake or text


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says: all claims, and the two that are always there."""

    values: Mapping[str, Any]
    role: str
    exp: int

    @property
    def sub(self) -> str:
        """The user's id, or an empty string for a token without one."""
        return str(self.values.get("sub") or "")


def expired(exp: float, now: float) -> TokenError:
    """The refusal of a token that has run out ``now - exp`` seconds ago."""
    text = f"Token has expired {max(0, int(now - exp))} seconds ago"
    return TokenError("InvalidJWTToken", text, "Token has expired")


class Tokens:
    """Verifies tokens with the project's secret and knows what an opaque API key stands for."""

    def __init__(self, secret: str, api_keys: Mapping[str, str]) -> None:
        self._secret = secret
        self._api_keys = dict(api_keys)

    def resolve(self, key: str) -> str:
        """Turn ``sb_publishable_…`` or ``sb_secret_…`` into the token it stands for."""
        return self._api_keys.get(key, key)

    def verify(self, token: str, now: float | None = None) -> Claims:
        """Return the claims of a valid token; raises ``TokenError``."""
        now = time.time() if now is None else now
        token = "".join(unquote(token).split())
        malformed = TokenError("MalformedJWT", "The token provided is not a valid JWT")
        algorithm = _algorithm(token)
        if algorithm is None:
            raise malformed
        if algorithm not in ALGORITHMS:
            raise TokenError(
                "JwtSignerError",
                "Failed to generate JWT signer, check your JWT secret or JWKS configuration",
            )
        try:
            values = jwt.decode(
                token,
                self._secret,
                algorithms=ALGORITHMS,
                options={
                    "verify_aud": False,
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                    "verify_sub": False,
                    "verify_jti": False,
                },
            )
        except jwt.InvalidSignatureError as error:
            raise TokenError("JwtSignatureError", "Failed to validate JWT signature") from error
        except (jwt.InvalidTokenError, ValueError) as error:
            raise malformed from error
        return _checked(values, now)


def _algorithm(token: str) -> str | None:
    """The ``alg`` of a token's header; None when the token has no such shape."""
    head, *rest = token.split(".")
    if len(rest) != 2:
        return None
    try:
        header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (ValueError, RecursionError):
        return None
    if not isinstance(header, dict) or not isinstance(header.get("alg"), str):
        return None
    return str(header["alg"])


def _checked(values: Mapping[str, Any], now: float) -> Claims:
    role, exp, iat = values.get("role"), values.get("exp"), values.get("iat")
    if role is None or exp is None:
        raise TokenError("InvalidJWTToken", "Fields `role` and `exp` are required in JWT")
    numbers = [value for value in (exp, iat) if value is not None]
    if not all(_is_number(value) for value in numbers):
        raise TokenError("MalformedJWT", "The token provided is not a valid JWT")
    if exp <= 0:
        raise TokenError("InvalidJWTToken", "Token expiration time is invalid")
    if exp <= now:
        raise expired(exp, now)
    return Claims(values, str(role), round(exp))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
