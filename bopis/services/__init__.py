"""Use cases of the product, over ports: nothing here opens a socket, a file of the log or a database."""
