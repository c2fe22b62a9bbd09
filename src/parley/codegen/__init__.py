"""Typed Python clients, generated from the catalog of a Supabase database.

``catalog`` reads, ``names`` and ``values`` translate, ``models``, ``api`` and ``reference`` write,
``files`` compares with what is there.
"""

from __future__ import annotations
