"""From a Keras model to a bundle that devices train. Nothing else in the project imports TensorFlow (the extra `author`)."""
