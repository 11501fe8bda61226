"""Paraphrases of train rows, written by a teacher and checked: `finetune dataset paraphrase`."""
