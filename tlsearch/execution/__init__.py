"""How jobs run: worker processes behind one interface, and the events they send."""
