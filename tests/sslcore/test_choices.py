"""Names are checked against those there are."""

import pytest

from sslcore.choices import check_choice
from sslcore.errors import ConfigError


def test_a_known_name_comes_back() -> None:
    assert check_choice("simclr", ["byol", "simclr"], name="method") == "simclr"


def test_an_unknown_name_lists_the_choices_and_suggests_the_closest() -> None:
    with pytest.raises(ConfigError) as caught:
        check_choice("simcrl", ["simclr", "byol"], name="pretrain.method")
    assert (
        str(caught.value)
        == "pretrain.method must be one of byol, simclr, got 'simcrl'; did you mean 'simclr'?"
    )
