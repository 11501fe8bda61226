"""What a request is for that is no user's: its client says so in a header, and the log has it."""

HEADER = "Finetune-Purpose"
# A canary of `finetune monitor`, and a test row of `finetune serve --measure`.
CANARY, MEASURE = "canary", "measure"
# Any other text of a client is not logged.
KNOWN = frozenset({CANARY, MEASURE})
