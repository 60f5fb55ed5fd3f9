"""Watching over a worker, and reporting on it."""
