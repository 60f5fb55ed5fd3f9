"""Back-ups of an installation: the log, customers' keys, access over HTTP, and the settings."""
