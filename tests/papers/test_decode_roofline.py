"""papers/decode-roofline: targets are met at the quick size, and the figure draws."""


def test_intensities_and_the_crossover(make, ds, targets):
    for row in targets:
        ours = float(ds[row["quantity"]].sel(batch=int(row["condition"].removeprefix("batch="))))
        assert abs(ours / float(row["published"]) - 1) <= float(row["tolerance"]), (row, ours)
    both, banks, pins = (
        ds.seconds.sel(way=way) for way in ("both", "in the banks", "through the pins")
    )
    assert ((both <= banks) & (both <= pins)).all()
    assert float(banks.sel(batch=1)) < float(pins.sel(batch=1))
    assert 1 < make.crossover(ds) < 4
    assert len(make.draw(ds).axes) == 2
