"""The log on disk and its newest batches in memory."""
