"""`finetune audit`: whether the predictions of a revision are those of its adapter."""
