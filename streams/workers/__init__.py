"""Workers: the life of a worker process, and each kind of it."""
