"""Commands for the store agent."""
