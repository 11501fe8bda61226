"""Descriptions of products, whose price is predicted as a distribution."""
