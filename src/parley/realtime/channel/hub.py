"""Which channels have joined which topic, and delivering one message to all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from parley.realtime.channel.channel import Channel
from parley.realtime.metrics import Metrics
from parley.realtime.protocol.envelope import Envelope
from parley.realtime.protocol.messages import PREFIX, Json, Message, Outbound, TopicKey
from parley.realtime.rate_counters import Meters

TOO_MANY_MESSAGES = "Too many messages per second"


class Hub:
    """All topics with their channels. A topic exists while a channel has joined it."""

    def __init__(self, meters: Meters, metrics: Metrics) -> None:
        self._topics: dict[TopicKey, dict[Channel, None]] = {}
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

    def members(self, key: TopicKey) -> Iterator[Channel]:
        """The channels that have joined a topic."""
        return iter(tuple(self._topics.get(key, ())))

    def broadcast(
        self,
        key: TopicKey,
        message: Outbound,
        *,
        without: Channel | None = None,
        message_id: str | None = None,
    ) -> int:
        """Deliver a broadcast to the channels that may read it. Returns how many got it.

        ``without`` is the sender's channel if it does not want its own broadcasts. ``message_id``
        is the row's id for a broadcast that came from the database.
        """
        members = self._topics.get(key)
        if not members:
            return 0
        listeners = (each for each in members if each.hears_broadcasts and each is not without)
        return self._deliver("broadcast", listeners, message, message_id)

    def presence_diff(self, key: TopicKey, diff: dict[str, Json]) -> None:
        """Send a change of presence to the channels on the topic that may see presence."""
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
