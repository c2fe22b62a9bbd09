"""What a failing database means to a client: the codes and texts that Realtime sends.

Each error has a ``code`` and a ``text``, which make the reason of a refused join, and a ``slug``,
which is the ``error`` in the answer to a broadcast that asked for an acknowledgement.
"""

from __future__ import annotations


class ProbeError(Exception):
    """The database could not answer a question about rights."""

    code = "UnknownErrorOnChannel"
    text = "Unknown Error on Channel"
    slug = "unable_to_set_policies"

    @property
    def reason(self) -> str:
        """The reason of a refused join."""
        return f"{self.code}: {self.text}"


class PolicyError(ProbeError):
    """A policy raised an error, or the role does not exist. Clients are refused as if denied."""

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
    """The query took longer than the statement timeout, for instance behind a lock."""

    code = "QueryCanceled"
    text = "Query was cancelled, please try again"
    slug = "query_canceled"
