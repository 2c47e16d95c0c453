"""What a network is worth: figures, tables, pictures and pages."""
