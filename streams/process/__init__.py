"""Processes: from settings to workers, instance names, and the supervisor."""
