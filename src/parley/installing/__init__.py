"""Bringing Parley into a Supabase project: releases as SQL, and what of them a project holds."""
