"""The embedded log from the inside: storage, sockets, and what happens when the world breaks."""
