"""The only MQTT in the project: one session with one broker, kept up, and brokers to try it with."""

from folkmoot.link import later

# paho imports it for websockets through a proxy. With what it imports in turn (http, email) it is up to 1.9 MB of the 30 MB
# that an agent at rest may take.
later.load("urllib.request")
