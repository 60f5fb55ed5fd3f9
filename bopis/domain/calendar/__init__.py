"""A store's opening times as plain numbers: open minutes, store days, closings, cut-offs."""
