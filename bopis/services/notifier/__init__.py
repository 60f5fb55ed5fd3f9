"""The notifier: turns what is due into letters, and says what became of them."""
