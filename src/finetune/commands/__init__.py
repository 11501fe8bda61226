"""The commands of `finetune`, a module each; `finetune.cli` gathers them."""
