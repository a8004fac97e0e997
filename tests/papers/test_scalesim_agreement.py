"""papers/scalesim-agreement: every count equals the tool's, and the figure draws."""


def test_every_count_equals_the_tools(make, ds, targets):
    assert len(targets) == ds.same.size == 588
    missed = [
        row
        for row in targets
        if float(ds.same.sel(row=row["condition"], quantity=row["quantity"]))
        != float(row["published"])
    ]
    assert not missed, missed
    assert (ds.corrected >= 1).all()
    assert len(make.draw(ds).axes) == 1
