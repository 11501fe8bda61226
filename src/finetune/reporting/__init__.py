"""Tables and pages out of metric files."""
