"""What terminals send of themselves: signed requests, rows, and what an agent does with them."""
