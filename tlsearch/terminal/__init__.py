"""What a command shows: a live table on a terminal, lines elsewhere, JSON where it is asked for."""
