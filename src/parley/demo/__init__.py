"""The demo: Ann and Bob talk over real sockets, and Cat is removed.

``scripts/demo`` runs it. ``person`` is somebody signed in with supabase-py, ``conversation`` what
they say and how long it takes, ``check`` the proof behind ``--check``.
"""
