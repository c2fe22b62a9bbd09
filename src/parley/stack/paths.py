"""Which paths the front door hands on, decided on the path as it was written.

Servers differ in what they make of a path: some resolve dot segments before they decode, some
after, some decode twice, some take a backslash for a slash. A path that could mean something else
to any of them is refused, and one that is handed on is handed on unchanged.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from parley.stack.refusal import RequestRefusal

# What may stand in a path as it is; everything else is percent-encoded. (The brackets, the bar and
# the caret may not, but browsers leave them.)
WRITTEN = re.compile(r"/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/\[\]|^]|%[0-9A-Fa-f]{2})*")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")

# Where the paths of each service lead. A trailing slash makes no difference.
SERVED = re.compile(
    r"""
    /rest/v1 (?: /(?!rpc/)[^/]+ | /rpc/[^/]+ )?
    | /auth/v1/ (?:
        authorize | callback | health | logout | magiclink | otp | reauthenticate | recover
        | resend | settings | signup | token | user | verify
        | \.well-known/ (?: jwks\.json | openid-configuration )
      )
    | /storage/v1/ (?:
        status
        | bucket (?: /[^/]+ (?: /empty )? )?
        | object /.+
      )
    """,
    re.VERBOSE | re.DOTALL,
)
FUNCTIONS = "/functions/v1"
PREFIXES = ("/rest/v1", "/auth/v1", "/storage/v1")
WITH_NAMES = "/storage/v1/object/"


def admit(path: str) -> str:
    """Return a path, as it stands in the request and without its query, that may be handed on.

    Raises RequestRefusal.
    """
    decoded = _check_whole(path)
    if "%2f" in path.lower() and not path.startswith(WITH_NAMES):
        raise RequestRefusal(400, "A slash is encoded only in the name of a stored object.")
    if "//" in decoded:
        raise RequestRefusal(400, "The path has an empty segment: write one slash, not two.")
    if not path.startswith(PREFIXES) or not SERVED.fullmatch(decoded.removesuffix("/")):
        raise RequestRefusal(404, "Nothing is served at this path.")
    return path


def admit_function(path: str) -> str:
    """Return the path of a function below ``/functions/v1``, as the function sees it.

    Raises RequestRefusal.
    """
    _check_whole(path)
    return path.removeprefix(FUNCTIONS)


def _check_whole(path: str) -> str:
    """Refuse a path that servers could read in more than one way; return it decoded once."""
    if not path.startswith("/"):
        raise RequestRefusal(400, "The target of a request is a path: it begins with a slash.")
    if not WRITTEN.fullmatch(path):
        raise RequestRefusal(
            400, "The path holds a character, or a percent sign, that is not percent-encoded."
        )
    decoded = _decode(path)
    deeper = decoded
    while True:
        _check(deeper)
        deeper, before = _decode_again(deeper), deeper
        if deeper == before:
            break
    return decoded


def _decode(path: str) -> str:
    try:
        return unquote_to_bytes(path).decode()
    except UnicodeDecodeError as error:
        raise RequestRefusal(400, "The path is not UTF-8 when it is decoded.") from error


def _decode_again(path: str) -> str:
    """Decode a path again, as a careless server would; names may hold percent signs."""
    return unquote_to_bytes(path).decode(errors="replace")


def _check(path: str) -> None:
    if "\\" in path:
        raise RequestRefusal(400, "The path holds a backslash.")
    if CONTROL.search(path):
        raise RequestRefusal(400, "The path holds a control character.")
    # Some servers take what follows a semicolon for a parameter, some trim spaces.
    if any(part.partition(";")[0].strip() in (".", "..") for part in path.split("/")):
        raise RequestRefusal(400, "The path holds a dot segment.")
