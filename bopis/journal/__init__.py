"""The durable journal of a shop: every stock message is on its disk, with a sequence, before anybody is answered."""
