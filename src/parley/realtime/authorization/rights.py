"""The rights that a channel has on its topic, and the interface of whatever looks them up.

There are two extensions, `broadcast` and `presence`, and two rights for each: read (a `select`
policy on `realtime.messages`) and write (an `insert` policy). The rights to read are looked up at
the join and for each new token, the rights to write at the first write. Answers are kept until the
token changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, TypeAlias

from parley.realtime.authorization.tokens import Claims
from parley.realtime.database.errors import PolicyError
from parley.realtime.protocol.serializer import dumps

Extension: TypeAlias = Literal["broadcast", "presence"]


@dataclass(frozen=True, slots=True)
class Caller:
    """The person a query runs for: their claims, and the `x-` headers of their request."""

    claims: Claims
    headers: Mapping[str, str]

    def settings(self, topic: str) -> dict[str, str]:
        """The database settings that policies can read, as parameters of ``settings.sql``."""
        return {
            "role": self.claims.role,
            "topic": topic,
            "claims": dumps(dict(self.claims.values)),
            "sub": self.claims.sub,
            "headers": dumps(dict(self.headers)),
        }


def x_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that are passed on to policies."""
    named = ((name.lower(), value) for name, value in headers.items())
    return {name: value for name, value in named if name.startswith("x-")}


@dataclass(frozen=True, slots=True)
class Rights:
    """What a channel may do. None means that the database has not been asked yet."""

    broadcast_read: bool | None = None
    presence_read: bool | None = None
    broadcast_write: bool | None = None
    presence_write: bool | None = None

    @property
    def may_join(self) -> bool:
        """Whether there is a right to read: one of the two is enough to join."""
        return bool(self.broadcast_read or self.presence_read)

    def lost_since(self, before: Rights) -> bool:
        """Whether a right to read that ``before`` had is gone."""
        return bool(before.broadcast_read and self.broadcast_read is False) or bool(
            before.presence_read and self.presence_read is False
        )

    def with_answers(self, verb: Literal["read", "write"], answers: Answers) -> Rights:
        """Return these rights with the database's answers for one verb filled in."""
        return replace(self, **{f"{name}_{verb}": answer for name, answer in answers.items()})


PUBLIC = Rights(True, True, True, True)
"""The rights on a public channel: everything, without asking."""

Answers: TypeAlias = Mapping[Extension, bool]


class Authorizer(Protocol):
    """Asks the database for rights. Both methods raise ``ProbeError``."""

    async def readable(
        self, caller: Caller, topic: str, extensions: Sequence[Extension]
    ) -> Answers:
        """Say for each extension whether the caller may read the topic."""

    async def writable(
        self, caller: Caller, topic: str, extensions: Sequence[Extension]
    ) -> Answers:
        """Say for each extension whether the caller may write to the topic."""


async def read_rights(
    authorizer: Authorizer, caller: Caller, topic: str, *, presence: bool
) -> Rights:
    """Look up the rights to read. A policy that raises an error gives none."""
    extensions: list[Extension] = ["broadcast", "presence"] if presence else ["broadcast"]
    try:
        answers = await authorizer.readable(caller, topic, extensions)
    except PolicyError:
        answers = dict.fromkeys(extensions, False)
    return Rights().with_answers("read", answers)
