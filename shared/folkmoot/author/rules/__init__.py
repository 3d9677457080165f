"""Each file here is a family of Keras layers, and says what they do with channels (folkmoot.author.channels)."""
