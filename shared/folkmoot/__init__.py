"""Folkmoot: hierarchical federated learning for the Internet of Things, over MQTT."""

__version__ = "0.1.0"
