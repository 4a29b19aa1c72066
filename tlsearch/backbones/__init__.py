"""Pretrained networks without their classifiers: the table, the weights, the cuts."""
