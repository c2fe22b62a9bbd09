"""Choosing ports and finding free ones."""

from __future__ import annotations

import asyncio
import errno
import socket

from parley.errors import PortTaken

HOST = "127.0.0.1"


def choose_port(wanted: int, purpose: str, option: str) -> int:
    """Return ``wanted`` when it is free, any free port for 0. Raises PortTaken."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wanted))
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            words = (
                "is taken by another program"
                if error.errno == errno.EADDRINUSE
                else ("may not be used by this user")
            )
            raise PortTaken(
                f"Port {wanted}, wanted for {purpose}, {words}.",
                f"Stop that program, or choose another port with {option} (0 takes a free one).",
            ) from error
        port: int = probe.getsockname()[1]
        return port


async def listens(port: int) -> bool:
    """Say whether somebody on this machine takes connections on a port."""
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    return True
