"""A copy of one account's chat, kept in step with the server.

``device`` puts the parts together; ``parley.client.Chat`` is what an app sees of it.

* The file: ``store`` owns it, and with it every row and how far the rows go; ``room_rows`` and
  ``user_rows`` are what it writes when a step arrives. ``outbox`` is the table of what was done
  here and is not confirmed.
* Reading: ``reads`` and ``messages`` make what an app shows (``view_models``) of both.
* Acting: ``actions`` writes into the outbox, ``sender`` brings it to the server.
* Keeping in step: ``engine`` pulls what ``targets`` says is missing, ``listener`` hears steps as
  they happen, ``live`` shows who types and who is there, ``feed`` tells the app what changed.
* ``remote`` is the server, as one account.
"""
