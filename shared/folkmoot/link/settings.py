"""The section of a settings file that says where a broker is, and who we are to it."""

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from folkmoot.errors import UserFault
from folkmoot.link.endpoint import Endpoint, Login, Tls


class Broker(msgspec.Struct, frozen=True, kw_only=True):
    """One broker: `[home]` or `[cloud]` of a settings file."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65_535)] = 1883
    tls: bool = False  # on by itself where `ca` or `certificate` is set
    ca: Path | None = None  # PEM: whom to believe that it is the broker; the system's authorities where it is not set
    certificate: Path | None = None  # PEM: ours
    key: Path | None = None  # PEM: its private key
    username: str = ""
    password_file: Path | None = None
    keepalive_seconds: Annotated[int, Meta(ge=5, le=3_600)] = 60

    def endpoint(self) -> Endpoint:
        """Gives what a link dials.

        Raises UserFault where a certificate has no key, or a name no password.
        """
        if (self.certificate is None) != (self.key is None):
            raise UserFault("certificate and key go together: set both, or neither")
        if bool(self.username) != (self.password_file is not None):
            raise UserFault("username and password_file go together: set both, or neither")
        secured = self.tls or self.ca is not None or self.certificate is not None
        return Endpoint(
            self.host,
            self.port,
            Tls(self.ca, self.certificate, self.key) if secured else None,
            Login(self.username, self.password_file) if self.password_file is not None else None,
        )
