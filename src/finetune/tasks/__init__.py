"""Kinds of task: a folder each, found by `registry`; a task is a data set of some kind."""
