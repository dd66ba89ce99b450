"""Many images through a trained network: adapters folded in, bfloat16 on CPUs with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from weaktr_core.networks.adapters import LowRank
from weaktr_core.runtime import mixed_precision


@contextmanager
def fast_inference(model: nn.Module, precision: str = "auto") -> Iterator[None]:
    """Let a network look at images faster while the context lasts; nothing is trained.

    Low-rank adapters are added to the weights they adapt. On a CPU that computes in
    bfloat16 the linear layers and the attention do; maps and scores stay in float32.
    The network's weights are untouched, and a GPU computes as it always does.

    Args:
        model: in eval mode.
        precision: "auto", or "no" for float32, see `weaktr_core.runtime.mixed_precision`.
    """
    on_cpu = next(model.parameters()).device.type == "cpu"
    reduced = on_cpu and mixed_precision(precision) == "bf16"
    changed = [it for it in model.modules() if isinstance(it, LowRank)]
    with ExitStack() as stack, torch.no_grad():
        for layer in changed:
            weight = layer.weight + layer.up @ layer.down
            layer.forward = partial(F.linear, weight=weight, bias=layer.bias)  # type: ignore
            stack.callback(delattr, layer, "forward")
        if reduced:
            stack.enter_context(torch.autocast("cpu", torch.bfloat16))
            stack.enter_context(_AttentionByHeads())
        yield


class _AttentionByHeads(TorchFunctionMode):
    """Replaces the fused attention, which on CPUs gains nothing by bfloat16."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        called = attention_by_heads if func is F.scaled_dot_product_attention else func
        return called(*args, **(kwargs or {}))


def attention_by_heads(
    query: Float[Tensor, "B H R dim"],
    key: Float[Tensor, "B H T dim"],
    value: Float[Tensor, "B H T dim"],
    attn_mask: Tensor | None = None,
    *,
    scale: float | None = None,
    **others: Any,
) -> Float[Tensor, "B H R dim"]:
    """softmax(scale · q kᵀ) v as products of matrices, one head of one image at a time.

    PyTorch's own function where a mask, dropout or a causal order is asked for.
    """
    if attn_mask is not None or any(others.values()):
        return F.scaled_dot_product_attention(
            query, key, value, attn_mask, scale=scale, **others
        )
    query = query * (scale or query.shape[-1] ** -0.5)
    heads = zip(query.flatten(0, 1), key.flatten(0, 1), value.flatten(0, 1), strict=True)
    gathered = [(q @ k.T).softmax(dim=-1) @ v for q, k, v in heads]
    return torch.stack(gathered).unflatten(0, query.shape[:2])
