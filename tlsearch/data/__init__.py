"""Photos: where they come from, how they are split, and the pixels that everything else reads."""
