"""The wire protocol: messages, the two forms they are written in, and WebSocket frames.

Nothing in this package opens a socket or a connection to the database.
"""
