"""What every engine owes its clients: one suite, run against each."""
