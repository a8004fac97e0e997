"""papers/halo: prefill belongs to arrays, decoding to DRAM, with no fitted constant."""

from paper_checks import *  # noqa: F403  # the checks of every paper


def test_the_planner_divides_a_request_as_halo_does(make):
    import pimlab as pim

    for name in make.ARRAYS:
        plan = pim.parallelise(
            pim.load_model(make.MODEL),
            make.both(make.arrays(name), make.dram()),
            phase="both",
            context=1024,
            output=512,
        )
        assert plan.arrangement == "apart"
        assert (plan.prefill.rack, plan.decode.rack) == (0, 1)


def test_halves_add_up(make, ds):
    phases = ds.phase_latency.isel(request=0)
    prompt, output = make.REQUESTS[0]
    apart = phases.sel(phase="prefill", machine="warboy") + output * phases.sel(
        phase="decode", machine="DRAM"
    )
    ours = ds.latency.sel(arrays="warboy", mapping="HALO").isel(request=0)
    assert float(apart) < float(ours) < float(apart) + 0.01 * prompt


def test_the_figure_draws(make, ds):
    assert len(make.draw(ds).axes) == 2
