"""`greenroom top`: the ops room in a terminal, of a server here or elsewhere."""
