"""Key figures of pickups, computed from the timeline of orders and the silences of stores."""
