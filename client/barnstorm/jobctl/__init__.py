"""`jobctl`: the command line. One module a verb or noun, each loaded only when it is used."""
