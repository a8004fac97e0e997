"""papers/cent-parallelism: CENT's best split and the order of all of them are found without a fitted constant."""

from paper_checks import *  # noqa: F403  # the checks of every paper


def test_pipelines_give_throughput_and_tensor_gives_latency(make, ds):
    for model in make.SPLITS:
        one = ds.where(ds.model == model, drop=True)
        assert make.in_order(ds, model) == 1
        assert (one.latency.diff("split") > 0).all()


def test_the_slowest_stage_is_never_faster_than_equal_stages(ds):
    assert (ds.throughput <= ds.balanced * (1 + 1e-12)).all()


def test_the_figure_draws(make, ds):
    assert len(make.draw(ds).axes) == 2
