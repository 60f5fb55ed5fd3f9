"""Store calendars as plain numbers: open minutes, store days, closings, cut-offs, pickup windows."""
