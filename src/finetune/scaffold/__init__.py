"""`finetune init`: a task's config from a user's file, checked. Does not import torch."""
