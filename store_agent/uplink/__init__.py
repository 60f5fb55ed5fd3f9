"""The way from the journal to the centre: over HTTPS, or straight to the log."""
