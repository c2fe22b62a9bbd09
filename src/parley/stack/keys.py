"""The role of a request, from its API key or from the token that stands for it."""

from __future__ import annotations

from aiohttp import hdrs, web

from parley.realtime.authorization.tokens import TokenError, Tokens
from parley.stack.state import State

APIKEY = "apikey"


class Keys:
    """The keys of one stack, wherever the official clients put them.

    They come in the header ``apikey``, as the query parameter ``apikey``, or as the bearer; as a
    key of the new kind, or as the JWT of that role.
    """

    def __init__(self, state: State) -> None:
        self._tokens = Tokens(state.jwt_secret, state.role_tokens)
        self._key_of = {"anon": state.publishable_key, "service_role": state.secret_key}

    def role_of(self, request: web.Request) -> str | None:
        """The role of a request: that of its bearer, else of its key; None without a valid one."""
        scheme, _, bearer = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        if scheme.lower() == "bearer" and bearer:
            return self._role(bearer)
        return self._role(request.headers.get(APIKEY) or request.query.get(APIKEY, ""))

    def short_key(self, key: str) -> str:
        """The key of the new kind that a JWT of its role stands for; any other word as it is."""
        return self._key_of.get(self._role(key) or "", key) if key.count(".") == 2 else key

    def _role(self, key: str) -> str | None:
        try:
            return self._tokens.verify(self._tokens.resolve(key)).role
        except TokenError:
            return None
