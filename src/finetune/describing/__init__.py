"""The data card: what a task's rows are like, and whether train and test are alike. No torch."""
