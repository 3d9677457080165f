"""Models that come with Folkmoot, as ordinary Keras. What runs are the bundles in folkmoot.tasks, compiled from them."""
