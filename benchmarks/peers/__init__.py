"""The sides that `benchmarks/sweep.py` compares, what they are given, and how they are measured."""
