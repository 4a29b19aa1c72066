"""What is written down of a recipe holds no credentials, and is known again all the same."""

from __future__ import annotations

import pytest

from tlsearch.config.loading import load_recipe
from tlsearch.errors import DownloadError, UsageError
from tlsearch.paths import Paths
from tlsearch.pretraining.run import pretrain

SECRET = "pl4nted-s3cret"
RECIPE = f"""\
version: 1
name: tiny
backbone: {{name: ResNet10, weights: random}}
image_size: 32
method: simclr
data: {{source: "http://127.0.0.1:9/photos.tgz?token={SECRET}"}}
tracking: {{uri: "http://anna:{SECRET}@127.0.0.1:9"}}
"""


def test_an_address_with_a_token(tmp_path):
    file, paths = tmp_path / "recipe.yaml", Paths(tmp_path / "home")
    file.write_text(RECIPE)
    for _ in range(2):
        with pytest.raises(DownloadError) as refused:
            pretrain(load_recipe(file), paths=paths)
        assert SECRET not in str(refused.value)
    with pytest.raises(UsageError, match="different recipe"):
        pretrain(load_recipe(file, ["data.source=http://127.0.0.1:9/other.tgz"]), paths=paths)
    written = [place for place in paths.home.rglob("*") if place.is_file()]
    assert "definition.json" in {place.name for place in written}
    assert not [place for place in written if SECRET.encode() in place.read_bytes()]
