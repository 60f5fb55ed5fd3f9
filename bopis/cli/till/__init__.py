"""Commands for those who connect a till."""
