"""Scores kept with the repository are found; elsewhere nothing is, without an error."""

from weaktr_core.figures.stored import stored_results


def test_results_of_the_repository():
    assert stored_results("laptop")["runs"]


def test_what_is_not_there_is_none(tmp_path):
    assert stored_results("laptop", tmp_path) is None
