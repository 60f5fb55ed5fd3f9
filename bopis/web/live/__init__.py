"""Memory that follows the log: availability, open orders, and changes for open streams."""
