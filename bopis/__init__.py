"""bopis: an omnichannel pickup engine. Events in a log are the record; everything else is folded from it."""
