"""Who may read and write a private topic: the decisions, without the database that is asked.

Two rights for each of two extensions, `broadcast` and `presence`: read (a `select` policy on
`realtime.messages`) and write (an `insert` policy). Reads are asked for at the join and with each
new token, writes at the first use; answers are kept until the token changes (REALTIME 3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, TypeAlias

from parley.realtime.serializer import dumps
from parley.realtime.tokens import Claims

Extension: TypeAlias = Literal["broadcast", "presence"]


class ProbeError(Exception):
    """The database could not say. ``code`` and ``text`` make the reason of a refused join,
    ``slug`` the error of an acknowledged broadcast."""

    code = "UnknownErrorOnChannel"
    text = "Unknown Error on Channel"
    slug = "unable_to_set_policies"

    @property
    def reason(self) -> str:
        """The reason of a refused join."""
        return f"{self.code}: {self.text}"


class PolicyError(ProbeError):
    """A policy raised, or the role does not exist: the same as being refused."""

    slug = "rls_policy_error"


class PartitionError(ProbeError):
    """There is no partition of `realtime.messages` for today."""

    code = "MissingPartition"
    text = "Realtime was unable to find the expected messages partition"
    slug = "missing_partition"


class UnreachableError(ProbeError):
    """The database does not answer."""

    code = "UnableToConnectToProject"
    text = "Realtime was unable to connect to the project database"
    slug = "unable_to_connect_to_project"


class CanceledError(ProbeError):
    """The question took too long, for instance behind a lock."""

    code = "QueryCanceled"
    text = "Query was cancelled, please try again"
    slug = "query_canceled"


@dataclass(frozen=True, slots=True)
class Caller:
    """On whose behalf a question is asked: their claims and the `x-` headers they came with."""

    claims: Claims
    headers: Mapping[str, str]

    def settings(self, topic: str) -> dict[str, str]:
        """The session settings that a policy sees."""
        return {
            "role": self.claims.role,
            "topic": topic,
            "claims": dumps(dict(self.claims.values)),
            "sub": self.claims.sub,
            "headers": dumps(dict(self.headers)),
        }


def x_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that policies may look at."""
    named = ((name.lower(), value) for name, value in headers.items())
    return {name: value for name, value in named if name.startswith("x-")}


@dataclass(frozen=True, slots=True)
class Rights:
    """What a channel may do; None is "not asked yet"."""

    broadcast_read: bool | None = None
    presence_read: bool | None = None
    broadcast_write: bool | None = None
    presence_write: bool | None = None

    @property
    def may_join(self) -> bool:
        """Whether one right to read is there."""
        return bool(self.broadcast_read or self.presence_read)

    def lost_since(self, before: Rights) -> bool:
        """Whether a right to read that was there before is gone."""
        return bool(before.broadcast_read and self.broadcast_read is False) or bool(
            before.presence_read and self.presence_read is False
        )

    def with_answers(self, verb: Literal["read", "write"], answers: Answers) -> Rights:
        """Note what the database said."""
        return replace(self, **{f"{name}_{verb}": answer for name, answer in answers.items()})


PUBLIC = Rights(True, True, True, True)
"""A public channel needs nobody's leave."""

Answers: TypeAlias = Mapping[Extension, bool]


class Authorizer(Protocol):
    """Asks the database. Both raise ``ProbeError``."""

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
    """Ask for the rights to read; a policy that raises gives none."""
    extensions: list[Extension] = ["broadcast", "presence"] if presence else ["broadcast"]
    try:
        answers = await authorizer.readable(caller, topic, extensions)
    except PolicyError:
        answers = dict.fromkeys(extensions, False)
    return Rights().with_answers("read", answers)
