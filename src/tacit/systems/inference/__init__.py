"""Systems that learn to generate and to infer at once."""
