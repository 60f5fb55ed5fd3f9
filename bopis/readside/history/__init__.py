"""Stock history: the stock log folded a second time, with every step recorded (decision 4)."""
