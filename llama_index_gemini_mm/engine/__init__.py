"""One embedding engine: items in, checked vectors out."""
