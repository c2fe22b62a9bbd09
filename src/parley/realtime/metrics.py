"""The server's metrics, served as Prometheus text at `/realtime/v1/metrics`."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0)


class Metrics:
    """The metrics of one server, in a registry of its own."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self._registry = registry
        self.sockets = Gauge("realtime_sockets", "Open sockets.", registry=registry)
        self.channels = Gauge("realtime_channels", "Joined channels.", registry=registry)
        self.joins = Counter("realtime_joins", "Joins let in.", registry=registry)
        self.denials = Counter(
            "realtime_denials", "Joins and writes refused, by code.", ["code"], registry=registry
        )
        self.received = Counter(
            "realtime_events_received",
            "Frames from clients, by event.",
            ["event"],
            registry=registry,
        )
        self.malformed = Counter(
            "realtime_frames_malformed", "Frames that were dropped.", registry=registry
        )
        self.delivered = Counter(
            "realtime_events_delivered", "Events handed to sockets.", ["event"], registry=registry
        )
        self.captured = Counter(
            "realtime_database_events",
            "Rows taken out of the WAL, by fate.",
            ["fate"],
            registry=registry,
        )
        self.slow = Counter(
            "realtime_slow_sockets_closed", "Sockets closed for not reading.", registry=registry
        )
        self.connected = Gauge(
            "realtime_replication_connected", "1 while the WAL is being read.", registry=registry
        )
        self.reconnects = Counter(
            "realtime_replication_connections",
            "Connections made to read the WAL.",
            registry=registry,
        )
        self.lag = Gauge(
            "realtime_wal_lag_bytes", "WAL written but not yet dispatched.", registry=registry
        )
        self.authorization = Histogram(
            "realtime_authorization_seconds",
            "Time to ask for rights, by verb.",
            ["verb"],
            buckets=BUCKETS,
            registry=registry,
        )

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self._registry)
