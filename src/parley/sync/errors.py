"""What can go wrong on the client's side.

SyncError                        the local copy cannot do what was asked
├── StoreUnusable                the file cannot be read or written just now
│   ├── StoreDamaged             the file is damaged, for good
│   └── StoreTooNew              a newer Parley made the file
├── RowUnreadable                something in the copy is not what this version reads
├── ClientTooOld                 the server serves newer clients only
├── ServerTooOld                 this client needs a newer schema
├── ChatClosed                   the chat was closed
└── OtherAccount                 the file belongs to somebody else, or to another server
"""

from __future__ import annotations

from parley.errors import AnswerRefused, ApiError, ParleyError, Unreachable

ANSWERS = ("PT4", "22", "23", "P0")
"""How the codes begin of what a server in good health answers."""


class SyncError(ParleyError, slug="sync_error", status=503):
    """The local copy cannot do what was asked."""


class StoreUnusable(SyncError, slug="store_unusable", status=503):
    """The file of the local copy cannot be read or written just now.

    The disk is full, the folder is read-only, or another program has locked the file. It is tried
    again until it works.
    """


class StoreDamaged(StoreUnusable, slug="store_damaged", status=503):
    """The file of the local copy is damaged, or was taken away, while it was open."""


class StoreTooNew(StoreUnusable, slug="store_too_new", status=409):
    """A newer Parley made the file."""


class RowUnreadable(SyncError, slug="row_unreadable", status=422):
    """A row of the copy is not what this version of Parley reads."""


class ClientTooOld(SyncError, slug="client_too_old", status=426):
    """The server has a newer Parley that does not serve this client any more.

    The copy and the outbox stay, and are brought up to date by a newer client.
    """


class ServerTooOld(SyncError, slug="server_too_old", status=501):
    """The server has an older Parley than this client needs.

    The copy and the outbox stay, and go on as soon as the server is upgraded.
    """


class ChatClosed(SyncError, slug="chat_closed", status=409):
    """The chat was closed, or its copy was forgotten; make another one."""


class OtherAccount(SyncError, slug="other_account", status=409):
    """The file belongs to somebody else, or to another server."""


def is_transient(error: ParleyError) -> bool:
    """Tell whether the same call may well succeed later, whatever it says.

    What has a class of its own, or is a status or a constraint of ours, is an answer. The rest is
    a server in trouble, such as one that has not read its schema yet.
    """
    if isinstance(error, Unreachable | AnswerRefused):
        return True
    return type(error) is ApiError and not error.code.startswith(ANSWERS)
