"""The way from a journal to the centre: over HTTPS, or straight to the log."""
