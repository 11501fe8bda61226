"""Consistency checks of the repository, run by `finetune check`."""
