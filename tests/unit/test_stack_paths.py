"""The front door hands on paths of our three services, and none that could mean another."""

from __future__ import annotations

import posixpath
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from parley.stack.paths import admit
from parley.stack.refusal import RequestRefusal

HANDED_ON = [
    "/rest/v1",
    "/rest/v1/",
    "/rest/v1/messages",
    "/rest/v1/Mixed%20Case%20%C3%BC",
    "/rest/v1/rpc/send_message",
    "/auth/v1/token",
    "/auth/v1/user",
    "/auth/v1/.well-known/jwks.json",
    "/storage/v1/bucket",
    "/storage/v1/bucket/chat/empty",
    "/storage/v1/object/list/chat",
    "/storage/v1/object/chat/a%20b.png",
    "/storage/v1/object/chat/%E6%9D%B1%E4%BA%AC.png",
    "/storage/v1/object/chat/a%2eb",
    "/storage/v1/object/chat/a%252eb",
    "/storage/v1/object/chat/.../x",
    "/storage/v1/object/chat/..x/y..",
    "/storage/v1/object/chat/100%25",
    "/storage/v1/object/chat/folder%2Fname",
    "/storage/v1/object/chat/folder/",
    "/storage/v1/object/chat/a;b=c",
    "/storage/v1/object/upload/sign/chat/x",
    "/storage/v1/object/public/chat/_system/config",
]

REFUSED = {
    400: [
        "",
        "*",
        "http://x/rest/v1/messages",
        "@127.0.0.1/rest/v1/messages",
        "/rest/v1/../../_system/config",
        "/rest/v1/%2e%2e/%2e%2e/_system/config",
        "/rest/v1/%2E./.%2e/_system/config",
        "/rest/v1/%252e%252e/_system/config",
        "/rest/v1/%25252e%25252e/_system/config",
        "/rest/v1/./messages",
        "/rest/v1/..;/_system/config",
        "/rest/v1/..%3bx/_system/config",
        "/rest/v1/%20../_system/config",
        "/rest/v1/..%2f..%2f_system/config",
        "/storage/v1/object/chat/..%2f..%2f..%2f..%2f_system/config",
        "/storage/v1/object/chat/..%252f..%252f_system/config",
        "/rest/v1/..\\..\\_system\\config",
        "/rest/v1/..%5c..%5c_system%5cconfig",
        "/storage/v1/object/chat/a%255cb",
        "/rest/v1%2fmessages",
        "/rest%2fv1/messages",
        "/rest/v1/a%2fb",
        "//rest/v1/messages",
        "/rest/v1//messages",
        "/storage/v1/object/chat//x",
        "/storage/v1/object/chat/a%2f/b",
        "/rest/v1/a%00",
        "/rest/v1/a%2500",
        "/rest/v1/a%0d%0ab",
        "/rest/v1/a%",
        "/rest/v1/a%zz",
        "/rest/v1/a%c0%ae",
        "/rest/v1/a%ff",
        "/rest/v1/a b",
        "/rest/v1/ä",
        "/rest/v1/a#b",
        "/rest/v1/a<b",
    ],
    404: [
        "/",
        "/_system/config",
        "/static/main.js",
        "/REST/v1/messages",
        "/rest/V1/messages",
        "/%72est/v1/messages",
        "/rest/v1x",
        "/rest/v1;/messages",
        "/rest/v1/a/b",
        "/rest/v1/rpc/a/b",
        "/rest/v2/messages",
        "/auth/v1",
        "/auth/v1/admin/users",
        "/auth/v1/token/x",
        "/storage/v1",
        "/storage/v1/object",
        "/storage/v1/bucket/a/b",
        "/storage/v1/s3/x",
        "/graphql/v1",
    ],
}


@pytest.mark.parametrize("path", HANDED_ON)
def test_a_path_of_ours_is_handed_on_unchanged(path: str) -> None:
    assert admit(path) == path


@pytest.mark.parametrize(
    ("status", "path"), [(status, path) for status, paths in REFUSED.items() for path in paths]
)
def test_every_other_path_is_refused_with_a_sentence(status: int, path: str) -> None:
    with pytest.raises(RequestRefusal) as refusal:
        admit(path)
    assert refusal.value.status == status
    assert refusal.value.sentence.endswith(".")


PIECES = st.sampled_from(
    [
        *("/", "/", "/", "//", ".", "..", "...", "%2e", "%2E", "%252e", "%25", "%2f", "%252F"),
        *("\\", "%5c", "%255c", ";", "%3b", "%00", "%09", "%20", "%c0%ae", "%", "?", "#", "@"),
        *("_system", "%5fsystem", "config", "rest", "v1", "auth", "storage", "object", "chat"),
        *("token", "%72pc", "rpc", "a", "é", "\t", "http:", "//x"),
    ]
)
SERVICES = ("/rest/v1", "/auth/v1", "/storage/v1")


def readings(path: str) -> set[str]:
    """What servers of different habits make of a path."""
    found = {path}
    for _ in range(4):
        found |= {unquote(each) for each in found}
        found |= {each.replace("\\", "/") for each in found}
        found |= {posixpath.normpath(each) for each in found if each.startswith("/")}
        found |= {
            "/".join(part.partition(";")[0] for part in each.split("/")) for each in set(found)
        }
    return found


@given(
    st.sampled_from([*SERVICES, "/storage/v1/object/chat", "/rest/v1/rpc", ""]),
    st.lists(PIECES, max_size=12).map("".join),
)
@example("/rest/v1", "/%2e%2e/%2e%2e/_system/config")
def test_whatever_is_handed_on_stays_within_its_service_however_it_is_read(
    prefix: str, rest: str
) -> None:
    try:
        path = admit(prefix + rest)
    except RequestRefusal:
        return
    service = "/".join(path.split("/")[:3])
    assert service in SERVICES
    for reading in readings(path):
        assert reading == service or reading.startswith(f"{service}/"), reading
