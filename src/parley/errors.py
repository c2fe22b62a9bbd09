"""Everything Parley raises on purpose.

ParleyError                      any expected failure
├── ApiError                     the API refused a call for a reason without a class
│   ├── Unreachable              the API did not answer
│   ├── AnswerRefused            the API answered, and the answer makes no sense
│   ├── InvalidInput             an argument is not as described
│   ├── TenantRequired           several tenants would do
│   ├── SignInRequired           nobody is signed in
│   ├── NotAllowed               the role is too low
│   ├── MemberMuted              the caller may only read
│   ├── RoomNotFound             absent, or not the caller's
│   ├── MessageNotFound          absent, or not for the caller
│   ├── UserNotFound             absent, or out of the caller's sight
│   ├── FileNotFound             no file that the caller may send
│   ├── InviteNotFound           no invite has this token or id
│   ├── ReportNotFound           absent, or not the caller's to deal with
│   ├── HoldNotFound             no legal hold has this id, or it was released
│   ├── TableNotFound            no table of this name travels
│   ├── MessageIdReused          the client_id belongs to another message
│   ├── EditConflict             somebody edited the message meanwhile
│   ├── LastOwner                nobody would own it any more
│   ├── MessageDeleted           the message is gone
│   ├── InviteExpired            the invite is used up, too old or revoked
│   ├── MessageTooLong           a body has too many characters
│   ├── TooManyMentions          a message mentions too many people
│   ├── PayloadTooLarge          a list or an object is too big
│   ├── MessageRefused           the project's own rule is against the content
│   ├── RoomArchived             the room can only be read
│   ├── SlowDown                 too much at once; retry_after says how long
│   └── ReplicaBehind            a read replica lacks what the caller has seen
├── CatalogUnreadable            types cannot be generated from this database
├── SeedRefused                  the database took none of the seeded data
├── ImportRefused                a file or the database stopped an import
├── InstallRefused               Parley cannot be put into this project
├── AuditUnreadable              the audit cannot be read, or was changed
├── NotInstalled                 the project has no Parley
├── UpgradeRefused               nothing leads on from what a project or database has
├── UninstallRefused             something of the adopter's hangs on Parley
├── TypesStale                   generated files are not what the database would make of them
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


class ApiError(ParleyError, slug="api_error", status=500):
    """The API refused a call for a reason that has no class of its own.

    ``code`` is the SQLSTATE or PostgREST's code, such as PT404, 42501 or PGRST202.
    ``retry_after`` is the number of seconds to wait, where the API named one.
    """

    def __init__(
        self, detail: str, hint: str = "", *, code: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(detail, hint)
        self.code = code
        self.retry_after = retry_after


class Unreachable(ApiError, slug="unreachable", status=503):
    """The API did not answer: there is no network, or the server is away."""


class AnswerRefused(ApiError, slug="answer_refused", status=502):
    """The API answered with something that makes no sense; nothing of it was used.

    The same call may well succeed later.
    """


class InvalidInput(ApiError, slug="invalid_input", status=400):
    """An argument is not as described: empty, too long, of the wrong kind or out of bounds."""


class TenantRequired(ApiError, slug="tenant_required", status=400):
    """Several tenants would do; the call has to name one with ``tenant_id``."""


class SignInRequired(ApiError, slug="sign_in_required", status=401):
    """The call needs the token of somebody with an open account."""


class NotAllowed(ApiError, slug="not_allowed", status=403):
    """The caller is known, and their role is too low for this."""


class MemberMuted(ApiError, slug="member_muted", status=403):
    """A moderator has muted the caller: they may read and not write until the mute ends."""


class RoomNotFound(ApiError, slug="room_not_found", status=404):
    """The room does not exist, or the caller is not in it; both look the same."""


class FileNotFound(ApiError, slug="file_not_found", status=404):
    """There is no file at this path that you may send with a message to this room."""


class MessageNotFound(ApiError, slug="message_not_found", status=404):
    """The message does not exist, or the caller may not see it; both look the same."""


class UserNotFound(ApiError, slug="user_not_found", status=404):
    """The person does not exist, or the caller shares nothing with them; both look the same."""


class InviteNotFound(ApiError, slug="invite_not_found", status=404):
    """No invite has this token or id."""


class ReportNotFound(ApiError, slug="report_not_found", status=404):
    """The report does not exist, or the caller does not deal with it; both look the same."""


class HoldNotFound(ApiError, slug="hold_not_found", status=404):
    """No legal hold has this id, or it was released and there is nothing of it to read."""


class TableNotFound(ApiError, slug="table_not_found", status=404):
    """No table of this name travels to clients; stream_table() lets it."""


class MessageIdReused(ApiError, slug="message_id_reused", status=409):
    """The caller already sent another message under this client_id."""


class EditConflict(ApiError, slug="edit_conflict", status=409):
    """The message was changed since the version the caller has seen."""


class LastOwner(ApiError, slug="last_owner", status=409):
    """The room or tenant would be left without an owner."""


class MessageDeleted(ApiError, slug="message_deleted", status=410):
    """The message was deleted, or retention has removed it."""


class InviteExpired(ApiError, slug="invite_expired", status=410):
    """The invite is used up, too old or revoked."""


class MessageTooLong(ApiError, slug="message_too_long", status=413):
    """A message has at most 8,000 characters."""


class TooManyMentions(ApiError, slug="too_many_mentions", status=413):
    """A message mentions at most 50 people."""


class PayloadTooLarge(ApiError, slug="payload_too_large", status=413):
    """A list or an object has more entries or bytes than one call takes."""


class MessageRefused(ApiError, slug="message_refused", status=422):
    """The project's own rule about content is against the message; the detail says why."""


class RoomArchived(ApiError, slug="room_archived", status=423):
    """The room is archived and can only be read."""


class SlowDown(ApiError, slug="slow_down", status=429):
    """Too much at once, or slow mode; ``retry_after`` is the number of seconds to wait."""


class ReplicaBehind(ApiError, slug="replica_behind", status=503):
    """A read replica lacks what an earlier answer showed; the primary has it."""


class CatalogUnreadable(ParleyError, slug="catalog_unreadable", status=503):
    """Types cannot be generated from this database."""


class SeedRefused(ParleyError, slug="seed_refused", status=422):
    """The database took none of the seeded data."""


class ImportRefused(ParleyError, slug="import_refused", status=422):
    """A file or the database stopped an import; no room is half imported."""


class InstallRefused(ParleyError, slug="install_refused", status=409):
    """Parley cannot be put into this project as it is; nothing was changed."""


class AuditUnreadable(ParleyError, slug="audit_unreadable", status=422):
    """The audit cannot be read, or an entry does not follow from the one before."""


class NotInstalled(ParleyError, slug="not_installed", status=404):
    """The migrations of the project make no Parley."""


class UpgradeRefused(ParleyError, slug="upgrade_refused", status=409):
    """Nothing leads on from what the project or the database has: it was changed, or too old."""


class UninstallRefused(ParleyError, slug="uninstall_refused", status=409):
    """Something that Parley did not make uses it, and would go with it."""


class TypesStale(ParleyError, slug="types_stale", status=409):
    """Generated files are not what the database would make of them."""


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
