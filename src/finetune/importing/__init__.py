"""Conversion of GGUF model files to folders in Hugging Face format."""
