"""Mathematical word problems: a worked solution that ends with the final answer, a number."""
