"""The six parts of the page 'Slanted land', each one question; what they share is in `address` and `pictures`."""
