"""Models with a code for each example: autoencoders, and variational autoencoders of several decoders."""
