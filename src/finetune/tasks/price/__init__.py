"""Descriptions of products, whose price in USD is predicted as a distribution."""
