"""`finetune dataset check`: what is wrong with a file of rows, before any training."""
