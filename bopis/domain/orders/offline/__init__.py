"""Work on orders in a store that cannot reach the centre: its copy, its own checks, and the merge afterwards."""
