"""A copy of one account's chat, kept in step with the server.

``store`` holds rows and how far they go, ``outbox`` what was done here, ``views`` what an app
shows of both. ``engine`` pulls and applies, ``sender`` flushes, ``live`` listens.
"""
