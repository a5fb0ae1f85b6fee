"""The live scanner's body by address: whole, sent once, and refused with a reason."""

import gzip

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from app.shell import resources
from app.shell.images import addresses, files
from app.shell.images import routes as image_routes
from fnprune_core.atlas import cortex


@pytest.fixture
def client(example):
    """A server of the routes alone, over the example with its cortex laid out."""
    cortex.lay_out(resources.workspace(), example.atlas)
    return TestClient(Starlette(routes=image_routes.routes()))


def test_the_body_comes_once_and_whole(client, example) -> None:
    url = addresses.atlas_url(example.atlas, "live.bin")
    answer = client.get(url)
    assert answer.status_code == 200
    body = files.body_alive(example.atlas)
    assert answer.content == body.as_bytes()
    assert gzip.decompress(answer.content).endswith(body.grey.tobytes(order="F"))
    again = client.get(url, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_an_atlas_that_is_not_there_is_told(client) -> None:
    answer = client.get(addresses.atlas_url("0" * 16, "live.bin"))
    assert answer.status_code == 404
    assert "0" * 16 in answer.text
