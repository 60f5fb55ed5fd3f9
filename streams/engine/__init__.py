"""The exact step around a processor: reading, committing, crashing, recovering, sharing the work."""
