"""papers/upmem-pipeline: targets are met at the quick size, and the figure draws."""


def test_the_pipeline_saturates_where_published(make, ds, targets):
    (row,) = targets
    assert make.saturation(ds) == int(row["published"])
    assert (ds.bandwidth.diff("transfer") > 0).all()
    assert len(make.draw(ds).axes) == 2
