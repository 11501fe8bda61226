"""What a task is. A task is a data set of some *kind*; the kinds are the modules of this room.

A kind is a module of functions on rows, so that a new data set of a known kind is config alone:

    clean(row)      one raw row in our field names → the row as the pipeline keeps it;
                    ValueError says what is wrong with it
    body(row)       the text that the model reads: what makes two rows the same
    target(row)     the text that it should write
    found(row)      names of peculiarities of a raw row, for `data.json`

Scores and rungs of a kind stand in `tasks.scores` and `tasks.rungs`: training needs neither, so an
edit there does not train anew.
"""
