"""Event files (``formats``) and data sets (``sets``)."""
