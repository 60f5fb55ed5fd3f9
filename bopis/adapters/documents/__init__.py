"""Paper of a store: pick list, packing slip, hand-over receipt; as a page to print, and for a receipt printer."""
