"""Rates over ticks of five seconds, and windows of calls."""

from __future__ import annotations

from parley.realtime.rate_counters import Allowance, Rate
from parley.realtime.settings import HOSTED, LOSSY, PLAIN, PROFILES, RealtimeSettings


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_short_burst_passes_and_a_long_one_does_not() -> None:
    clock = Clock()
    rate = Rate(10, clock)
    rate.add(40)
    assert not rate.exceeded
    for _ in range(12):
        rate.add(60)
        clock.now += 5
    assert rate.exceeded


def test_a_quiet_minute_forgets() -> None:
    clock = Clock()
    rate = Rate(10, clock)
    rate.add(1000)
    assert rate.exceeded
    clock.now += 65
    assert not rate.exceeded
    assert rate.average == 0


def test_a_rate_without_a_limit_never_trips() -> None:
    rate = Rate(None, Clock())
    rate.add(10**9)
    assert not rate.exceeded


def test_an_allowance_starts_anew_when_its_window_is_over() -> None:
    clock = Clock()
    allowance = Allowance(2, 30, clock)
    assert [allowance.take() for _ in range(3)] == [True, True, False]
    clock.now += 31
    assert allowance.take()


def test_plain_limits_what_one_client_takes_and_loses_nothing() -> None:
    limits = PLAIN.limits
    counted = (limits.connections, limits.joins_per_second, limits.events_per_second)
    assert counted == (None, None, None)
    assert (limits.channels_per_connection, limits.frames_per_second) == (1000, 500)
    assert (PLAIN.capture.permanent, PLAIN.capture.drop_share) == (True, 0)


def test_hosted_has_the_delays_and_lossy_loses() -> None:
    assert (HOSTED.limits.connect_error_delay_s, HOSTED.limits.channel_error_delay_s) == (2, 5)
    assert not LOSSY.capture.permanent
    assert LOSSY.capture.drop_share > 0
    assert set(PROFILES) == {"plain", "hosted", "lossy"}


def test_settings_print_no_secret() -> None:
    settings = RealtimeSettings(
        database_url="postgresql://u:word@h/d", jwt_secret="secret", api_keys={"sb_secret_1": "x"}
    )
    assert repr(settings) == "RealtimeSettings(profile='plain')"
