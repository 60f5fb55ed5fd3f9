"""Papers of a store: pick list, packing slip, pickup receipt; as an HTML page and for a receipt printer."""
