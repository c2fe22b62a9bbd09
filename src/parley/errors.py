"""Everything Parley raises on purpose.

ParleyError                      any expected failure
└── StackError                   the local stack cannot do what was asked
    ├── AlreadyRunning           a stack already uses this state folder
    ├── NotRunning               no stack uses this state folder
    ├── PortTaken                another program listens on the port
    ├── NodeMissing              Node is absent or older than 20
    ├── PackagesMissing          the npm packages are not installed
    ├── OtherMajorVersion        the data folder belongs to another Postgres
    ├── DiskFull                 the disk has no room left
    ├── StateUnusable            the state folder cannot be read or written
    ├── MigrationFailed          a migration or the seed was refused
    └── PartFailed               a part of the stack does not start
"""

from __future__ import annotations

from typing import Any, ClassVar


class ParleyError(Exception):
    """An expected failure: a sentence that says what happened and a remedy.

    ``slug`` is stable and may be matched on, ``status`` is the HTTP status that goes with it,
    ``detail`` is the sentence and ``hint`` the remedy. A class per slug registers itself:
    ``class Example(ParleyError, slug="example", status=400)``.
    """

    slug: ClassVar[str] = "parley_error"
    status: ClassVar[int] = 500
    registry: ClassVar[dict[str, type[ParleyError]]] = {}

    def __init_subclass__(cls, *, slug: str, status: int, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.slug = slug
        cls.status = status
        ParleyError.registry[slug] = cls

    def __init__(self, detail: str, hint: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.hint = hint

    @staticmethod
    def named(slug: str) -> type[ParleyError]:
        """Return the class of a slug; one that nobody registered is a ``ParleyError``."""
        return ParleyError.registry.get(slug, ParleyError)

    def __str__(self) -> str:
        return f"{self.detail} {self.hint}".strip()


class StackError(ParleyError, slug="stack_error", status=503):
    """The local stack cannot do what was asked."""


class AlreadyRunning(StackError, slug="stack_already_running", status=409):
    """A stack already uses this state folder."""


class NotRunning(StackError, slug="stack_not_running", status=409):
    """No stack uses this state folder."""


class PortTaken(StackError, slug="port_taken", status=409):
    """Another program listens on the port."""


class NodeMissing(StackError, slug="node_missing", status=503):
    """Node is absent or older than 20."""


class PackagesMissing(StackError, slug="packages_missing", status=503):
    """The npm packages are not installed, or not for this machine."""


class OtherMajorVersion(StackError, slug="other_major_version", status=409):
    """The data folder belongs to another major version of Postgres."""


class DiskFull(StackError, slug="disk_full", status=507):
    """The disk has no room left."""


class StateUnusable(StackError, slug="state_unusable", status=503):
    """The state folder cannot be read or written."""


class MigrationFailed(StackError, slug="migration_failed", status=422):
    """A migration or the seed was refused by the database."""


class PartFailed(StackError, slug="part_failed", status=503):
    """A part of the stack does not start, or does not stay up."""
