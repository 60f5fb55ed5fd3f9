"""What people in a store and at a checkout ask of orders: say something, hear what came of it, see what is to do."""
