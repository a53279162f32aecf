"""What every command's line has in common: its help, its mistakes, its values, its colour."""
