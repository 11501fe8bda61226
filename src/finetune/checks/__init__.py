"""What `make check` holds the repository to."""
