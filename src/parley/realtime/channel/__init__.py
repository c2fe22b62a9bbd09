"""The events of a joined topic: joins, broadcasts, presence, new tokens, replay."""
