"""`finetune init`: from somebody's file to a task's config, checked. Does not import torch."""
