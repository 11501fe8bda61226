"""`finetune review`: an experiment of another machine, pulled, compared and judged."""
