"""Images drawn by formula: the endless labelled source task that the built-in backbone learned."""
