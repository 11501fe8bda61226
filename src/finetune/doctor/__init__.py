"""`finetune doctor`: what DVC and its stages left behind after a hard kill, and what mends it."""
