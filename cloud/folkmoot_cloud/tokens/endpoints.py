"""/v1/tokens: who may use the API."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from folkmoot_cloud.access import Reader, Route, Writer, reads, writes
from folkmoot_cloud.faults import Conflict, NotFound
from folkmoot_cloud.pages import Page, Rows, Window
from folkmoot_cloud.parameters import Id, window
from folkmoot_cloud.problems import responses
from folkmoot_cloud.tables import Token
from folkmoot_cloud.tokens import repository, service
from folkmoot_cloud.tokens.schemas import TokenMade, TokenNew, TokenView

router = APIRouter(prefix="/tokens", tags=["tokens"], route_class=Route)


@router.get("", response_model=Page[TokenView], summary="List the tokens")
async def listing(reader: Annotated[Reader, reads("admin")], window: Annotated[Window, Depends(window)]) -> Rows[Token]:
    """Newest first, without their secrets."""
    return await repository.listing(reader.session, reader.tenant, window)


@router.post("", response_model=TokenMade, status_code=201, summary="Make a token", responses=responses(Conflict))
async def create(new: TokenNew, writer: Annotated[Writer, writes("admin")], response: Response) -> TokenMade:
    """The response is the only place where its secret is ever shown."""
    token, text = await service.make(writer.session, writer.tenant, new.name, new.scopes, writer.now)
    response.headers["Cache-Control"] = "no-store"
    return TokenMade(**vars(TokenMade.__base__.model_validate(token)), token=text)  # type: ignore[union-attr]


@router.delete("/{token_id}", status_code=204, summary="Revoke a token", responses=responses(NotFound, Conflict))
async def revoke(token_id: Id, writer: Annotated[Writer, writes("admin")]) -> None:
    """Effective at once. The last token with the scope admin stays."""
    await service.revoke(writer.session, writer.tenant, token_id, writer.now)
