"""Per-store inventory: one writer per store, exact in any order of arrival."""
