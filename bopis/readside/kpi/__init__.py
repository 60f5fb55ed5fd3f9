"""Key figures of pickups. Nothing of them is stored: each is made anew from the facts of the timeline, so a definition
that changes holds for the whole past at once."""
