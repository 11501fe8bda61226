"""Forms of a tuned model that leave the repository: one module a form, found by `forms`."""
