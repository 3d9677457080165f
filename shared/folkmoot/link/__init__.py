"""The only MQTT in the project: one session with one broker, kept up, and brokers to try it with."""
