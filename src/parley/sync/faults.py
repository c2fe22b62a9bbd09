"""What can go wrong on the client's side.

SyncError                        the local copy cannot do what was asked
├── StoreUnusable                the file cannot be read or written
│   └── StoreTooNew              a newer Parley made the file
└── OtherAccount                 the file belongs to somebody else, or to another server
"""

from __future__ import annotations

from parley.errors import ParleyError


class SyncError(ParleyError, slug="sync_error", status=503):
    """The local copy cannot do what was asked."""


class StoreUnusable(SyncError, slug="store_unusable", status=503):
    """The file of the local copy cannot be read or written."""


class StoreTooNew(StoreUnusable, slug="store_too_new", status=409):
    """A newer Parley made the file."""


class OtherAccount(SyncError, slug="other_account", status=409):
    """The file belongs to somebody else, or to another server."""
