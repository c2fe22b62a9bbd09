"""The server's connections to Postgres, the queries it runs, and the partitions it keeps."""
