"""What the API refuses, each with the status that it is refused with; problems.py renders them."""

from collections.abc import Mapping, Sequence

from folkmoot.errors import FolkmootError


class Fault(FolkmootError):
    """A request that cannot be met as it is. The message is one sentence that says what to do instead."""

    status = 400
    kind = "bad-request"  # last word of the problem's type
    title = "The request cannot be understood"

    def __init__(
        self, detail: str, *, headers: Mapping[str, str] | None = None, errors: Sequence[Mapping[str, str]] = ()
    ) -> None:
        """`errors`: single fields that are wrong, each with `pointer` and `detail`."""
        super().__init__(detail)
        self.detail = detail
        self.headers = dict(headers or {})
        self.errors = tuple(errors)


class Unauthorized(Fault):
    """No token, or one that is unknown or revoked."""

    status = 401
    kind = "unauthorized"
    title = "A valid token is needed"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": 'Bearer realm="folkmoot"'})


class Forbidden(Fault):
    """The token is good, but not for this."""

    status = 403
    kind = "forbidden"
    title = "The token does not allow this"


class NotFound(Fault):
    """Nothing of this tenant has that name."""

    status = 404
    kind = "not-found"
    title = "There is no such thing"


class Conflict(Fault):
    """Sound by itself, but not as things stand."""

    status = 409
    kind = "conflict"
    title = "This cannot be done as things stand"


class TooLarge(Fault):
    """More bytes than are taken."""

    status = 413
    kind = "too-large"
    title = "The request is too large"


class BadRange(Fault):
    """A range that lies behind the end."""

    status = 416
    kind = "bad-range"
    title = "The range lies outside"


class Invalid(Fault):
    """Understood, but what it asks for can never hold."""

    status = 422
    kind = "invalid"
    title = "What is asked for cannot hold"


class Unavailable(Fault):
    """Not now: something that this service needs is away."""

    status = 503
    kind = "unavailable"
    title = "The service is not ready"
