"""`finetune predict`: answers to rows of a file that need not say what is right."""
