"""The pickup order: what is asked of it, what is concluded, and what it asks of others."""
