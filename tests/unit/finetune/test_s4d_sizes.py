import pytest
from unit.finetune.test_s4d import TINY

from blemore.finetune.s4d_sizes import Sizes
from blemore.job import BadInput


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"width": 25}, "width is 25; it must be a multiple of heads, 2"),
        ({"image_size": 20}, "image_size is 20; it must be a multiple of patch, 8"),
        ({"frames": 5}, "frames is 5; it must be a multiple of tubelet, 2"),
        ({"top_k": 5}, "top_k is 5; it must be from 1 to experts, 4"),
        ({"first_moe_block": 3}, "first_moe_block is 3; it must be from 0 to depth - 1, 2"),
    ],
)
def test_sizes_that_do_not_fit(sizes, message):
    with pytest.raises(BadInput, match=message):
        Sizes(**TINY | sizes)
