"""Verifying the tokens that clients present: signature, ``exp``, ``role``.

Codes and texts are those of the hosted server, because clients and people search for them.
"""

from __future__ import annotations

import base64
import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

import jwt

ALGORITHMS = ["HS256", "HS384", "HS512"]
REMEMBERED = 1_000
"""Tokens whose signature is not verified again: a client joins all its topics with the same one."""


class TokenError(Exception):
    """The token is refused.

    A refused join is answered with ``code`` and ``text``. A refused connection is answered with
    ``handshake``, which differs for an expired token: it leaves out since when.
    """

    def __init__(self, code: str, text: str, handshake: str | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.handshake = handshake or text


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of a verified token; ``role`` and ``exp`` are always among them."""

    values: Mapping[str, Any]
    role: str
    exp: int

    @property
    def sub(self) -> str:
        """The user's id, or an empty string for a token without one."""
        return str(self.values.get("sub") or "")


def expired(exp: float, now: float) -> TokenError:
    """The error for a token that expired ``now - exp`` seconds ago."""
    text = f"Token has expired {max(0, int(now - exp))} seconds ago"
    return TokenError("InvalidJWTToken", text, "Token has expired")


class Tokens:
    """Verifies tokens with the project's secret, and turns opaque API keys into tokens."""

    def __init__(self, secret: str, api_keys: Mapping[str, str]) -> None:
        self._secret = secret
        self._api_keys = dict(api_keys)
        self._signed = lru_cache(REMEMBERED)(self._verify_signature)

    def resolve(self, key: str) -> str:
        """Turn an opaque key (``sb_publishable_…``) into its token; return others as they are."""
        return self._api_keys.get(key, key)

    def verify(self, token: str, now: float | None = None) -> Claims:
        """Return the claims of a valid token; raises ``TokenError``."""
        now = time.time() if now is None else now
        return _checked(self._signed("".join(unquote(token).split())), now)

    def _verify_signature(self, token: str) -> Mapping[str, Any]:
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
            values: Mapping[str, Any] = jwt.decode(
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
        return values


def _algorithm(token: str) -> str | None:
    """The ``alg`` in a token's header; None when the string is not shaped like a token."""
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
