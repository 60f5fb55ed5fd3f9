"""Sources of the store agent: drop folders, growing files, and tills over HTTP on the loopback."""
