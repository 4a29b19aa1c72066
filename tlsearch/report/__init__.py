"""What a trial looks like afterwards: figures, tables and pictures."""
