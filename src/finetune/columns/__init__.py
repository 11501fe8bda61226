"""What the columns of a file hold, and which of them a kind of task could learn from."""
