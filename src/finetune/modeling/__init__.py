"""Load a base model, attach, save and check adapters, encode prompts."""
