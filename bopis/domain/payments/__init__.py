"""Money of orders and their payments."""
