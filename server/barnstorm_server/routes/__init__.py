"""The HTTP boundary: the only room that knows HTTP. One module for each noun."""
