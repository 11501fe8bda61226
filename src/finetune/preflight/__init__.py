"""What can be known to go wrong before a run costs money: one line a check, ok or what to do."""
