"""WebSocket connections: the upgrade of the request, and what a client's frames ask for."""
