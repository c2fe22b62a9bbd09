"""Who listens to which topic, and passing one message on to all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from parley.realtime.channel import Channel, Key
from parley.realtime.limits import Meters
from parley.realtime.messages import PREFIX, Json, Message, Outbound
from parley.realtime.metrics import Metrics
from parley.realtime.wire import Envelope

TOO_MANY_MESSAGES = "Too many messages per second"


class Hub:
    """Topics and their channels. A topic exists while somebody has joined it."""

    def __init__(self, meters: Meters, metrics: Metrics) -> None:
        self._topics: dict[Key, dict[Channel, None]] = {}
        self._meters = meters
        self._metrics = metrics

    def join(self, channel: Channel) -> None:
        """Add a channel to its topic."""
        self._topics.setdefault(channel.key, {})[channel] = None

    def leave(self, channel: Channel) -> None:
        """Take a channel out of its topic."""
        members = self._topics.get(channel.key, {})
        members.pop(channel, None)
        if not members:
            self._topics.pop(channel.key, None)

    def members(self, key: Key) -> Iterator[Channel]:
        """The channels on a topic."""
        return iter(tuple(self._topics.get(key, ())))

    def broadcast(
        self,
        key: Key,
        message: Outbound,
        *,
        without: Channel | None = None,
        message_id: str | None = None,
    ) -> int:
        """Pass a broadcast on to those on the topic who may read it; returns how many got it.

        ``without`` is the sender that does not hear itself, ``message_id`` the row it came from.
        """
        members = self._topics.get(key)
        if not members:
            return 0
        listeners = (each for each in members if each.hears_broadcasts and each is not without)
        return self._deliver("broadcast", listeners, message, message_id)

    def presence_diff(self, key: Key, diff: dict[str, Json]) -> None:
        """Tell those on the topic who may see presence what has changed."""
        message = Message(PREFIX + key[0], "presence_diff", diff)
        members = [each for each in self._topics.get(key, ()) if each.hears_presence]
        self._deliver(
            "presence_diff", (each for each in members if not each.late_presence), message, None
        )
        for channel in members:
            if channel.late_presence:
                channel.push("presence_diff", diff)
        self._meters.presence.add(len(members))

    def _deliver(
        self,
        event: str,
        listeners: Iterable[Channel],
        message: Outbound,
        message_id: str | None,
    ) -> int:
        envelope = Envelope(message)
        reached = [each for each in listeners if each.deliver(envelope, message_id)]
        self._metrics.delivered.labels(event).inc(len(reached))
        if event == "broadcast":
            self._meters.events.add(len(reached))
            if self._meters.events.exceeded:
                for channel in reached:
                    channel.shut(TOO_MANY_MESSAGES)
        return len(reached)
