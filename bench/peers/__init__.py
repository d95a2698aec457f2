"""The subjects of the benchmarks: casckpt, what people use instead, and the floors below all."""
