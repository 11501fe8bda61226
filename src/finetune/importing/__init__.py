"""Model files of other formats, converted to Hugging Face folders."""
