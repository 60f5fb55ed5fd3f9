"""Files of tills read by mapping files: rows of any of their formats become baskets, or rejects with a cause."""
