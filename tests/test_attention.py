"""The recorder sees every head of every backbone, and lets go."""

import pytest
import torch
from naive import BACKBONES, tiny_vit

from weaktr_core.method.attention import attention_maps, record_attention


@pytest.mark.parametrize("name", BACKBONES)
def test_recorded_heads_explain_the_branch_output(name):
    # If A·V, projected, is the attention branch's output, then A is the attention
    # that the model used: a timm release that computes it elsewhere fails here.
    vit = tiny_vit(name).eval()
    side = 4 * vit.patch_embed.patch_size[0]
    with torch.no_grad(), record_attention(vit) as layers:
        vit.forward_features(torch.randn(2, 3, side, side))
    assert len(layers) == len(vit.blocks)
    for layer, block in zip(layers, vit.blocks, strict=True):
        rows = layer.rows()
        assert torch.allclose(rows.sum(-1), torch.ones(rows.shape[:-1]), atol=1e-5)
        merged = layer.head_output.transpose(1, 2).flatten(2)
        projected = block.attn.proj(block.attn.norm(merged))
        assert torch.allclose(projected, layer.branch, atol=1e-5)


def test_rows_equal_the_softmax_of_the_weights():
    vit = tiny_vit().eval()
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad(), record_attention(vit) as layers:
        vit.forward_features(images)
        tokens = vit._pos_embed(vit.patch_embed(images))
    block = vit.blocks[0]
    mixed = block.attn.qkv(block.norm1(tokens)).unflatten(-1, (3, 3, 16))
    query, key, value = mixed.permute(2, 0, 3, 1, 4)
    plain = (query @ key.transpose(-2, -1) / 4).softmax(-1)
    # the second pass through patch_embed emptied the list: record again
    with torch.no_grad(), record_attention(vit) as layers:
        vit.forward_features(images)
    assert torch.allclose(layers[0].rows(), plain, atol=1e-5)
    assert torch.allclose(layers[0].rows(slice(2, 5)), plain[:, :, 2:5], atol=1e-5)
    assert torch.allclose(layers[0].head_output, plain @ value, atol=1e-5)
    assert attention_maps(layers).shape == (1, 3, 3, 17, 17)


@pytest.mark.parametrize("channels", [1, 16, 17, 40])
def test_gather_is_the_matrix_product_it_stands_for(channels):
    vit = tiny_vit().eval()
    with torch.no_grad(), record_attention(vit) as layers:
        vit.forward_features(torch.randn(2, 3, 64, 64))
    values = torch.randn(2, 3, 17, channels)
    for queries in (slice(None), slice(1, None), slice(0, 1)):
        gathered = layers[1].gather(values, queries)
        assert torch.allclose(gathered, layers[1].rows(queries) @ values, atol=1e-5)


def test_a_model_that_hides_its_attention_is_refused():
    vit = tiny_vit()
    vit.blocks[1].attn.forward = lambda x, **kwargs: x  # no attention to be seen
    with (
        pytest.raises(RuntimeError, match="saw 0 attention calls in block 1"),
        record_attention(vit),
    ):
        vit.forward_features(torch.randn(1, 3, 64, 64))


def test_the_context_lets_go_even_after_an_error():
    vit = tiny_vit()
    vit.blocks[0].attn.fused_attn = False
    with pytest.raises(ZeroDivisionError), record_attention(vit):
        raise ZeroDivisionError
    assert vit.blocks[0].attn.fused_attn is False
    assert vit.blocks[1].attn.fused_attn is True
    for module in vit.modules():
        assert not module._forward_hooks and not module._forward_pre_hooks


def test_gradients_still_flow_through_a_recorded_pass():
    vit = tiny_vit()
    with record_attention(vit) as layers:
        vit.forward_features(torch.randn(1, 3, 64, 64)).sum().backward()
    assert vit.blocks[0].attn.qkv.weight.grad.abs().sum() > 0
    assert not layers[0].query.requires_grad
