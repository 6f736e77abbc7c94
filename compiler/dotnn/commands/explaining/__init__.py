"""`dotnn explain`: the equations of a network, and the numbers of one example in them."""
