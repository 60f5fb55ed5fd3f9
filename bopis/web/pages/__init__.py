"""Pages for headquarters, counters and customers: rendered here, kept alive by htmx and server-sent events."""
