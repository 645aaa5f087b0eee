"""How the program is put onto machines; imported by its tests alone."""
