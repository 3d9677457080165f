"""The OpenAPI document, as the service really answers: FastAPI's own says that every response is JSON."""

from typing import Any

from fastapi import FastAPI

from folkmoot_cloud.problems import MEDIA

# What is never application/json beside it.
_OTHER = (MEDIA, "text/event-stream", "application/octet-stream")
# FastAPI's own form of a validation error, which problems.py replaces.
_UNUSED = ("HTTPValidationError", "ValidationError")


def install(app: FastAPI) -> None:
    """Corrects the document of `app`, once, when it is first asked for."""
    made = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            _correct(made())
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's documented way


def _correct(found: dict[str, Any]) -> None:
    for operations in found["paths"].values():
        for operation in operations.values():
            for response in operation["responses"].values():
                content = response.get("content", {})
                if any(media in content for media in _OTHER):
                    content.pop("application/json", None)
    for name in _UNUSED:
        found["components"]["schemas"].pop(name, None)
