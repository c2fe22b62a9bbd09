"""Reading the database's write-ahead log (WAL), and handing on what it contains."""
