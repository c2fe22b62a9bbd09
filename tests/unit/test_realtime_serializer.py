"""The two wire forms, byte for byte."""

from __future__ import annotations

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.realtime.protocol.envelope import server_frame
from parley.realtime.protocol.messages import Message, Push, UserBroadcast, UserMessage
from parley.realtime.protocol.serializer import V1_0, V2_0, FrameError, dumps, loads, serializer_for

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
SHORT = st.text(max_size=60)


def test_kind_3_from_the_javascript_client_is_read_byte_for_byte() -> None:
    frame = b"\x03\x01\x02\x0d\x02\x00\x01" + b"6" + b"16" + b"realtime:good" + b"hi" + b'{"a":1}'
    assert V2_0.decode(frame) == Push(
        "6", "16", "realtime:good", "broadcast", UserBroadcast("hi", b'{"a":1}', True)
    )


def test_kind_3_with_metadata_and_bytes_is_read() -> None:
    frame = (
        b"\x03\x02\x03\x0e\x05\x10\x00"
        + b"12"
        + b"123"
        + b"realtime:\xc3\xa9\xc3\xa0x"
        + b"event"
        + b'{"persist":true}'
        + b"\x00\xff"
    )
    assert V2_0.decode(frame) == Push(
        "12", "123", "realtime:éàx", "broadcast", UserBroadcast("event", b"\x00\xff", False)
    )


def test_kind_4_is_written_byte_for_byte() -> None:
    message = UserMessage("realtime:t", "e", b'{"a": 1}', True, {"id": "u"})
    assert V2_0.encode(message) == b"\x04\x0a\x01\x0a\x01realtime:te" + b'{"id":"u"}' + b'{"a": 1}'


def test_kind_4_without_meta_and_with_bytes_is_written_byte_for_byte() -> None:
    message = UserMessage("realtime:é", "ü", b"\x00\x01", False)
    assert V2_0.encode(message) == b"\x04\x0b\x02\x00\x00realtime:\xc3\xa9\xc3\xbc\x00\x01"


def test_a_header_field_over_255_bytes_cannot_be_written() -> None:
    assert V2_0.encode(UserMessage("realtime:" + "é" * 123, "e", b"", True)) is not None
    assert V2_0.encode(UserMessage("realtime:" + "é" * 124, "e", b"", True)) is None
    assert V2_0.encode(UserMessage("realtime:t", "é" * 128, b"", True)) is None


def test_version_1_writes_four_keys_and_ref_even_when_null() -> None:
    text = V1_0.encode(Message("realtime:t", "system", {"a": 1}, None, "join"))
    assert text is not None
    assert json.loads(text) == {
        "topic": "realtime:t", "event": "system", "payload": {"a": 1}, "ref": None,
    }  # fmt: skip


def test_version_1_writes_a_row_as_the_real_server_does() -> None:
    message = UserMessage("realtime:t", "e", b'{"a": 1}', True, {"id": "u"})
    assert V1_0.encode(message) == (
        '{"topic":"realtime:t","event":"broadcast","payload":{"event":"e","payload":{"a": 1},'
        '"type":"broadcast","meta":{"id":"u"}},"ref":null}'
    )


def test_version_1_cannot_carry_bytes() -> None:
    assert V1_0.encode(UserMessage("realtime:t", "e", b"\x00", False)) is None


def test_version_1_needs_four_keys_and_tolerates_a_null_ref() -> None:
    assert V1_0.decode('{"topic":"phoenix","event":"heartbeat","payload":{},"ref":null}') == Push(
        None, None, "phoenix", "heartbeat", {}
    )
    with pytest.raises(FrameError):
        V1_0.decode('{"topic":"phoenix","event":"heartbeat","payload":{}}')


def test_version_2_ignores_elements_after_the_fifth() -> None:
    assert V2_0.decode('["1","2","t","e",{},"more",7]') == Push("1", "2", "t", "e", {})


@pytest.mark.parametrize(
    "frame",
    [
        "", "x", "null", "7", "{}", "[]", '["1","2","t","e"]', '["1","2",7,"e",{}]',
        '["1","2","t",null,{}]', '["1","2","t","e",NaN]', '["1","2","t","e",1e999]',
        '["1","2","\\ud800","e",{}]', "[" * 100_000, '["1","2","t","e",' + "9" * 5000 + "]",
        b"", b"\x03", b"\x00\x01\x01\x01\x01aaaa", b"\x02\x01\x01te{}",
        b"\x03\x01\x01\x05\x01\x00\x01ab", b"\x03\x00\x00\x01\x01\x00\x02te{}",
        b"\x03\x00\x00\x01\x01\x00\x01te{", b"\x03\x00\x00\x01\x01\x00\x01\xffe{}",
        b"\x03\x00\x00\x01\x01\x00\x01te\xff",
    ],
)  # fmt: skip
def test_what_is_not_of_the_protocol_is_a_frame_error(frame: str | bytes) -> None:
    with pytest.raises(FrameError):
        V2_0.decode(frame)


def test_a_well_formed_frame_is_not_a_frame_error() -> None:
    assert V2_0.decode(b"\x03\x00\x00\x01\x01\x00\x01te{}").topic == "t"


@pytest.mark.parametrize(
    ("vsn", "version"),
    [(None, "1.0.0"), ("1.0.0", "1.0.0"), ("2.0.0", "2.0.0"), ("3.0.0", None), ("x", None)],
)
def test_absent_vsn_is_version_1_and_an_unknown_one_is_none(
    vsn: str | None, version: str | None
) -> None:
    found = serializer_for(vsn)
    assert (None if found is None else found.version) == version


@given(JSON)
def test_json_survives_writing_and_reading(value: object) -> None:
    text = dumps(value)
    text.encode()
    assert loads(text) == value


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_but_a_frame_error(frame: bytes) -> None:
    for serializer in (V1_0, V2_0):
        for each in (frame, b"\x03" + frame):
            try:
                push = serializer.decode(each)
            except FrameError:
                continue
            assert isinstance(push.topic, str)


@given(SHORT, SHORT, JSON, st.binary(max_size=200))
def test_what_is_written_for_listeners_has_the_lengths_its_header_says(
    topic: str, event: str, meta: object, body: bytes
) -> None:
    frame = V2_0.encode(UserMessage(topic, event, body, False, {"m": meta}))
    if frame is None:
        return
    assert isinstance(frame, bytes)
    kind, topic_size, event_size, meta_size, encoding = struct.unpack("!5B", frame[:5])
    rest = frame[5:]
    assert (kind, encoding) == (4, 0)
    assert rest[:topic_size].decode() == topic
    assert rest[topic_size:][:event_size].decode() == event
    assert json.loads(rest[topic_size + event_size :][:meta_size]) == {"m": meta}
    assert rest[topic_size + event_size + meta_size :] == body


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_a_websocket_frame_has_the_shortest_length_form(size: int) -> None:
    head = {0: 2, 125: 2, 126: 4, 65_535: 4, 65_536: 10}[size]
    frame = server_frame(b"x" * size)
    assert (frame[0], len(frame)) == (0x82, head + size)
    assert server_frame("é")[:2] == b"\x81\x02"
