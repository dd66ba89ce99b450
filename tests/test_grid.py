"""Patch geometry there and back."""

import torch

from weaktr_core.method import grid


def test_grid_covers_incomplete_patches():
    assert grid.grid_size((64, 70), (16, 14)) == (4, 5)
    assert grid.grid_size((65, 1), (16, 14)) == (5, 1)


def test_padding_adds_zeros_right_and_below_only():
    images = torch.rand(1, 3, 30, 16)
    padded = grid.pad_to_patches(images, (16, 16))
    assert padded.shape == (1, 3, 32, 16)
    assert torch.equal(padded[..., :30, :], images) and (padded[..., 30:, :] == 0).all()


def test_tokens_and_maps_are_inverse():
    tokens = torch.rand(2, 12, 5)
    maps = grid.tokens_to_map(tokens, (3, 4))
    assert torch.equal(maps[0, :, 1, 2], tokens[0, 1 * 4 + 2])
    assert torch.equal(grid.map_to_tokens(maps), tokens)


def test_padded_maps_keep_their_place_in_the_image():
    maps = torch.zeros(1, 1, 2, 2)
    maps[..., 0, 0] = 1
    padded = grid.map_to_image(maps, (30, 30), (16, 16))
    whole = grid.map_to_image(maps, (32, 32), (16, 16))
    assert torch.equal(padded, whole[..., :30, :30])


def test_official_positions_are_nearly_but_not_quite_the_exact_ones():
    table = torch.rand(1, 16, 8)
    assert grid.official_position_table(table, (4, 4)) is table
    wide = grid.official_position_table(table, (4, 7))
    assert wide.shape == (1, 28, 8)
    rows = grid.tokens_to_map(table, (4, 4))
    exact = torch.nn.functional.interpolate(rows, size=(4, 7), mode="bicubic")
    difference = (wide - grid.map_to_tokens(exact)).abs().max()
    assert 1e-4 < difference < 0.2
